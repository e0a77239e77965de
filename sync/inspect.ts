import { readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { SYNC_LIMITS } from '../contract/workspaces.ts';
import type { Entry } from '../contract/workspaces.ts';
import { baseName } from './entry.ts';
import { findLinkFault, findNameFault } from './names.ts';
import { findSecretFileKind } from './rules/secret-files.ts';
import type { Row } from './tree-state.ts';

/** What a file is left out for until it is read. */
export const UNREAD = 'not read yet';
/** A file that is written twice within the clock of its file system looks as if it were written once. */
const CLOCK_MS = 20;
const COARSE_CLOCK_MS = 2000;

/** What is at a path; a file is still to be read. */
export function inspect(
  root: string,
  path: string,
  stats: Stats,
  before: Row | undefined,
  allow: ReadonlySet<string>,
): Row {
  const times = {
    mtime_ms: stats.mtimeMs,
    ctime_ms: stats.ctimeMs,
    inode: stats.ino,
    mixed: before?.mixed ?? false,
    fresh: isFresh(stats),
  };
  const row = (entry: Entry): Row => ({ entry, left: undefined, ...times });
  const out = (left: string): Row => ({ entry: undefined, left, ...times });
  const fault = path === '' ? undefined : findNameFault(baseName(path));
  if (fault !== undefined) return out(fault);
  if (stats.isDirectory()) return row({ kind: 'folder', mode: stats.mode & 0o777 });
  const kind = allow.has(path) ? undefined : findSecretFileKind(path);
  if (kind !== undefined) return out(`withheld: ${kind}`);
  if (stats.isSymbolicLink()) {
    const target = readlinkSync(`${root}/${path}`);
    const wrong = findLinkFault(path, target);
    return wrong === undefined ? row({ kind: 'link', target }) : out(wrong);
  }
  if (!stats.isFile()) return out(describeKind(stats));
  return stats.size > SYNC_LIMITS.file_bytes ? out('larger than 4 GiB') : out(UNREAD);
}

function describeKind(stats: Stats): string {
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** A row for what cannot even be looked at. */
export function unreadable(left: string): Row {
  return { entry: undefined, left, mtime_ms: 0, ctime_ms: 0, inode: 0, mixed: false, fresh: true };
}

/** After a change that is so fresh, another may follow within the same tick and show in no time of the file. */
function isFresh(stats: Stats, now = Date.now()): boolean {
  const tick = Number.isInteger(stats.mtimeMs / 1000) ? COARSE_CLOCK_MS : CLOCK_MS;
  return stats.mtimeMs + tick >= now || stats.ctimeMs + CLOCK_MS >= now;
}
