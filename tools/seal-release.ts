import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { formatPublicKey } from '../contract/minisign.ts';
import { ReleaseManifest } from '../contract/release.ts';
import type { ReleasedFile } from '../contract/release.ts';
import type { ReleaseKey } from './release-key.ts';
import { runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';

export const SUMS = 'SHA256SUMS';
export const MANIFEST = 'manifest.json';
export const PUBLIC_KEY = 'minisign.pub';
/** What lies beside the executables. */
const PAPERS = [SUMS, `${SUMS}.minisig`, MANIFEST, `${MANIFEST}.minisig`, PUBLIC_KEY];

export type Sealed = Omit<ReleasedFile, 'size' | 'sha256'>;

export interface SealOptions {
  version: string;
  /** Seconds since the epoch. */
  builtAt: number;
  key: ReleaseKey;
  files: readonly Sealed[];
}

/** Writes digests and manifest of these files of `outDir`, each with its signature, and the public key beside them. */
export async function sealRelease(
  outDir: string,
  { version, builtAt, key, files }: SealOptions,
): Promise<ReleaseManifest> {
  const listed: ReleasedFile[] = [];
  for (const file of files) {
    const place = path.join(outDir, file.name);
    listed.push({ ...file, size: statSync(place).size, sha256: await digestFile(place) });
  }
  listed.sort((a, b) => (a.name < b.name ? -1 : 1));
  const built_at = new Date(builtAt * 1000).toISOString().replace('.000Z', 'Z');
  const manifest = ReleaseManifest.parse({ version, built_at, files: listed });
  const sums = listed.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
  for (const [name, text] of [
    [SUMS, sums],
    [MANIFEST, `${JSON.stringify(manifest, undefined, 2)}\n`],
  ] as const) {
    const comment = `timestamp:${builtAt}\tfile:${name}\tversion:${version}\thashed`;
    replaceFile(path.join(outDir, name), text);
    replaceFile(path.join(outDir, `${name}.minisig`), key.sign(Buffer.from(text), comment));
  }
  replaceFile(path.join(outDir, PUBLIC_KEY), formatPublicKey(key.publicKey));
  return manifest;
}

/**
 * Keeps the release as `outDir/<version>`, whose files never change from then on: servers let them be cached for ever. Throws a
 * ToolError when this version has been released with other bytes, unless `replace`.
 */
export function keepVersion(outDir: string, { version, files }: ReleaseManifest, { replace = false } = {}): string {
  const folder = path.join(outDir, version);
  const isSame = (name: string): boolean =>
    existsSync(path.join(folder, name)) &&
    readFileSync(path.join(folder, name)).equals(readFileSync(path.join(outDir, name)));
  if (existsSync(folder) && PAPERS.every(isSame)) return folder;
  if (existsSync(folder) && !replace)
    throw new ToolError(
      `${version} has been released with other bytes: see ${folder}, which is kept. Raise the version in package.json, or use --replace if nobody has that release yet.`,
    );
  const draft = mkdtempSync(path.join(outDir, '.new-'));
  for (const name of [...PAPERS, ...files.map((file) => file.name)])
    linkOrCopy(path.join(outDir, name), path.join(draft, name));
  chmodSync(draft, 0o755);
  rmSync(folder, { recursive: true, force: true });
  renameSync(draft, folder);
  return folder;
}

/** Seconds since the epoch: SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), the commit's, or 0. */
export async function findBuildTime(root: string, env: NodeJS.ProcessEnv): Promise<number> {
  const given = env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && given !== '') {
    if (/^\d{1,11}$/.test(given)) return Number(given);
    throw new ToolError('SOURCE_DATE_EPOCH is not a whole number of seconds since 1970.', { exitCode: 64 });
  }
  const { code, stdout } = await runCommand('git', ['log', '-1', '--format=%ct'], { cwd: root, env });
  return code === 0 && stdout.trim() !== '' ? Number(stdout) : 0;
}

async function digestFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** In one step, and not at all when it says the same: a server may be reading. */
function replaceFile(file: string, text: string): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  const draft = path.join(path.dirname(file), `.${path.basename(file)}-${process.pid}`);
  writeFileSync(draft, text);
  renameSync(draft, file);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // a file system without hard links
  }
}
