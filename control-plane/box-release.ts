import { join } from 'node:path';
import type { UserVpsRow } from './db/user-vps.ts';
import { loadRelease, type ReleaseSource } from './releases.ts';

/** A release as far as boxes are concerned: what runs on Linux. */
export interface BoxRelease {
  version: string;
  /** SHA-256 by file name. */
  sha256: Record<string, string>;
}

/** What may stand in a path. */
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]{1,40})?$/;
const FOR_BOXES = /^[a-z]+-linux-[a-z0-9]+$/;

/**
 * The release `version`, or without one the newest, out of RELEASES_DIR: it lies there, and every version in a folder of its own.
 * @throws SpoqError `release_invalid` when its signature doesn't hold
 */
export function findBoxRelease(source: ReleaseSource, version?: string): BoxRelease | undefined {
  if (version !== undefined && !VERSION.test(version)) return undefined;
  const newest = loadRelease(source);
  const release =
    version === undefined || newest?.version === version
      ? newest
      : loadRelease({ ...source, RELEASES_DIR: join(source.RELEASES_DIR, version) });
  // What was signed as another version doesn't become this one by where it lies.
  if (release === undefined || (version !== undefined && release.version !== version)) return undefined;
  const sha256 = Object.fromEntries(Object.entries(release.digests).filter(([name]) => FOR_BOXES.test(name)));
  return { version: release.version, sha256 };
}

/** What a box is to have: what it was last seen to run well, or where nobody keeps that any more, and for a new one, the newest. */
export function chooseBoxRelease(
  source: ReleaseSource,
  box: Pick<UserVpsRow, 'release_version'>,
  version = box.release_version ?? undefined,
): BoxRelease | undefined {
  return (version === undefined ? undefined : findBoxRelease(source, version)) ?? findBoxRelease(source);
}
