import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of released files: what a URL may ask for and what a digest may be of. */
export const RELEASE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,80}$/;

/** SHA-256 digests by file name, out of RELEASES_DIR/SHA256SUMS; none when nothing was released yet. */
export function loadReleaseDigests(folder: string): Record<string, string> {
  const file = join(folder, 'SHA256SUMS');
  if (!existsSync(file)) return {};
  const lines = readFileSync(file, 'utf8').matchAll(/^([0-9a-f]{64}) [ *]([a-z0-9-]+)$/gm);
  return Object.fromEntries([...lines].map(([, digest = '', name = '']) => [name, digest]));
}
