import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { UserVpsRow } from './db/user-vps.ts';
import { loadReleaseDigests } from './releases.ts';

/** A release as far as boxes are concerned. */
export interface BoxRelease {
  /** Undefined where what is there doesn't say. */
  version: string | undefined;
  /** SHA-256 by file name. */
  sha256: Record<string, string>;
}

/** What may stand in a path. */
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]{1,40})?$/;
const Manifest = z.looseObject({ version: z.string().regex(VERSION) });

/** The release `version`, or without one the newest, out of RELEASES_DIR: it lies there, and every version in a folder of its own. */
export function findBoxRelease(folder: string, version?: string): BoxRelease | undefined {
  if (version === undefined) {
    const sha256 = loadReleaseDigests(folder);
    return Object.keys(sha256).length === 0 ? undefined : { version: readVersion(folder), sha256 };
  }
  if (!VERSION.test(version)) return undefined;
  const sha256 = loadReleaseDigests(join(folder, version));
  if (Object.keys(sha256).length > 0) return { version, sha256 };
  const newest = findBoxRelease(folder);
  return newest?.version === version ? newest : undefined;
}

/** What a box is to have: what it was last seen to run well, or where nobody keeps that any more, and for a new one, the newest. */
export function chooseBoxRelease(
  folder: string,
  box: Pick<UserVpsRow, 'release_version'>,
  version = box.release_version ?? undefined,
): BoxRelease | undefined {
  return (version === undefined ? undefined : findBoxRelease(folder, version)) ?? findBoxRelease(folder);
}

function readVersion(folder: string): string | undefined {
  const file = join(folder, 'manifest.json');
  if (!existsSync(file)) return undefined;
  return Manifest.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data?.version;
}
