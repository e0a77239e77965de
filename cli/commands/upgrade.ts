import { SpoqError } from '../../contract/errors.ts';
import type { Credentials } from '../../contract/files.ts';
import { compareVersions } from '../../contract/release.ts';
import { findControlPlaneUrl } from '../auth/control-plane-url.ts';
import { findCredentialsPath, loadCredentials } from '../auth/credentials.ts';
import { loadMarker } from '../box/marker.ts';
import type { CliDeps, Executable } from '../deps.ts';
import { joinUrl } from '../http/url.ts';
import { formatBytes } from '../terminal/format.ts';
import { startSpinner } from '../terminal/spinner.ts';
import { fetchFile, findRelease } from '../upgrade/find-release.ts';
import type { FoundRelease } from '../upgrade/find-release.ts';
import { replaceExecutable } from '../upgrade/replace-executable.ts';
import { VERSION } from '../version.ts';

export interface UpgradeOptions {
  json: boolean;
  /** Only tell. */
  check: boolean;
  /** Also the same version again, or an older one. */
  force: boolean;
}

/** `spoq upgrade`: puts the control plane's release in the place of this program, after it has verified it. */
export async function runUpgrade(deps: CliDeps, options: UpgradeOptions): Promise<void> {
  if ((await loadMarker(deps.env)) !== undefined) {
    const words = `This is your box: Spoq upgrades it. It has spoq ${VERSION}; nothing was changed.`;
    return say(deps, options, { on_box: true, upgraded: false, version: VERSION, latest: null }, words);
  }
  const executable = requireExecutable(deps);
  const base = findControlPlaneUrl(deps.env, await loadSignIn(deps));
  const release = await findRelease(deps, base, executable.publicKey);
  const { version } = release;
  const order = compareVersions(version, VERSION);
  const facts = { on_box: false, upgraded: false, version: VERSION, latest: version };
  if (options.check) return say(deps, options, facts, describeCheck(version, order));
  if (order < 0 && !options.force)
    throw new SpoqError('conflict', {
      detail: `${base.host} offers spoq ${version}, which is older than this one (${VERSION}). Nothing was changed.`,
      next: 'spoq upgrade --force goes back to it.',
    });
  if (order === 0 && !options.force) return say(deps, options, facts, describeCheck(version, order));
  await download(deps, base, release, executable);
  const words = `Upgraded from ${VERSION} to ${version}: ${executable.path}`;
  return say(
    deps,
    options,
    { ...facts, upgraded: true },
    order > 0 ? words : `Put ${version} in the place of ${VERSION}.`,
  );
}

async function download(deps: CliDeps, base: URL, release: FoundRelease, executable: Executable): Promise<void> {
  const { version, file } = release;
  const spinner = startSpinner(deps, `Downloading spoq ${version}, ${formatBytes(file.size)}…`);
  try {
    const response = await fetchFile(deps, joinUrl(base, `/releases/${version}/${file.name}`));
    // Another account has another sign-in, and so may ask another control plane.
    const again = `sudo env SPOQ_URL=${base.origin} ${executable.path} upgrade`;
    await replaceExecutable(deps, executable.path, { version, file, again, chunks: response.chunks() });
  } finally {
    await spinner.stop();
  }
}

function describeCheck(version: string, order: number): string {
  if (order === 0) return `spoq ${VERSION} is the newest.`;
  return order > 0
    ? `spoq ${version} is there; this is ${VERSION}. Get it with: spoq upgrade`
    : `spoq ${VERSION} is newer than the release, ${version}.`;
}

/** This program as a file. Throws `conflict` where its sources are run. */
export function requireExecutable(deps: Pick<CliDeps, 'executable'>): Executable {
  if (deps.executable !== undefined) return deps.executable;
  throw new SpoqError('conflict', {
    detail: 'This spoq runs from its sources and is no file of its own.',
    next: 'Update the clone instead.',
  });
}

/** Only to know which control plane it came from: a broken one doesn't matter. */
async function loadSignIn(deps: CliDeps): Promise<Credentials | undefined> {
  try {
    return await loadCredentials(findCredentialsPath(deps));
  } catch (error) {
    if (error instanceof SpoqError) return undefined;
    throw error;
  }
}

function say(deps: CliDeps, options: UpgradeOptions, facts: object, words: string): Promise<void> {
  return deps.stdout.write(options.json ? `${JSON.stringify(facts)}\n` : `${words}\n`);
}
