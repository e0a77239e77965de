import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReleasedFile } from '../../contract/release.ts';
import { readReleaseKey, writeKeyPair, type ReleaseKey } from '../../tools/release-key.ts';
import { sealRelease } from '../../tools/seal-release.ts';

/** A key pair of this test alone, in a folder of its own below `folder`. */
export function makeReleaseKey(folder: string): ReleaseKey {
  const file = join(mkdtempSync(join(folder, 'key-')), 'release.key');
  writeKeyPair(file);
  return readReleaseKey(file);
}

export interface MadeRelease {
  /** By name, such as spoq-linux-amd64. */
  files: Record<string, string | Buffer>;
  key: ReleaseKey;
  version?: string;
}

/** Writes files with digests, manifest and signatures as `npm run release` does. */
export async function makeRelease(folder: string, { files, key, version = '0.1.0' }: MadeRelease): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const described = Object.entries(files).map(([name, content]) => {
    rmSync(join(folder, name), { force: true }); // it may be a link that a version's folder has as well
    writeFileSync(join(folder, name), content, { mode: 0o755 });
    const [program, os, arch] = name.replace(/\.exe$/, '').split('-');
    return ReleasedFile.omit({ size: true, sha256: true }).parse({ name, program, os, arch });
  });
  await sealRelease(folder, { version, builtAt: 1_700_000_000, key, files: described });
}

/** A new folder with one release in it. */
export async function makeReleases(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const program = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff]);
  await makeRelease(folder, { files: { 'spoq-linux-amd64': program }, key: makeReleaseKey(folder) });
  return folder;
}
