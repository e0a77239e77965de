import { SpoqError } from '../../contract/errors.ts';
import { parsePublicKey, verifySignature } from '../../contract/minisign.ts';
import { ReleaseManifest } from '../../contract/release.ts';
import type { ReleasedFile } from '../../contract/release.ts';
import type { CliDeps } from '../deps.ts';
import type { HttpResponse } from '../http/client.ts';
import { asUnreachable } from '../http/failure.ts';
import { parseJson, readProblem } from '../http/problem.ts';
import { joinUrl } from '../http/url.ts';

/** A release that is signed with the key in this program. */
export interface FoundRelease {
  version: string;
  /** `spoq` for this computer. */
  file: ReleasedFile;
}

const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
const SYSTEMS: Record<string, string> = { win32: 'windows' };

/**
 * Asks the control plane for its release and verifies the manifest's signature.
 * @throws SpoqError `release_invalid`, `not_found` when it has none for this computer, `control_plane_unreachable`.
 */
export async function findRelease(
  deps: Pick<CliDeps, 'http' | 'signal' | 'platform' | 'arch'>,
  base: URL,
  publicKey: string,
): Promise<FoundRelease> {
  const name = 'manifest.json';
  const [content, signature] = [
    await fetchText(deps, joinUrl(base, `/releases/${name}`)),
    await fetchText(deps, joinUrl(base, `/releases/${name}.minisig`)),
  ];
  verifySignature(name, Buffer.from(content), signature, parsePublicKey(publicKey));
  const manifest = ReleaseManifest.safeParse(parseJson(content));
  if (!manifest.success)
    throw new SpoqError('release_invalid', {
      detail: `${name} is signed, but this spoq cannot read it.`,
      next: `Install the newest one with the line that ${base.host} shows.`,
      cause: manifest.error,
    });
  const [os, arch] = [SYSTEMS[deps.platform] ?? deps.platform, ARCHITECTURES[deps.arch] ?? deps.arch];
  const { version, files } = manifest.data;
  const file = files.find((one) => one.program === 'spoq' && one.os === os && one.arch === arch);
  if (file !== undefined) return { version, file };
  throw new SpoqError('not_found', { detail: `${base.host} has no spoq ${version} for ${os} on ${arch}.` });
}

async function fetchText(deps: Pick<CliDeps, 'http' | 'signal'>, url: URL): Promise<string> {
  const response = await fetchFile(deps, url);
  return response.text().catch((error: unknown) => {
    throw asUnreachable('control_plane_unreachable', error);
  });
}

/** A file of the control plane's. Throws as it answers, or `control_plane_unreachable`. */
export async function fetchFile(deps: Pick<CliDeps, 'http' | 'signal'>, url: URL): Promise<HttpResponse> {
  const request = { method: 'GET', url, signal: deps.signal } as const;
  const response = await deps.http(request).catch((error: unknown) => {
    throw asUnreachable('control_plane_unreachable', error);
  });
  if (response.status !== 200) throw await readProblem(response, 'control_plane_unreachable', url.host);
  return response;
}
