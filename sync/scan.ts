import { readdirSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { SpoqError } from '../contract/errors.ts';
import { SYNC_LIMITS } from '../contract/workspaces.ts';
import type { Entry, LeftOut } from '../contract/workspaces.ts';
import { ancestorsOf, baseName, parentOf } from './entry.ts';
import type { Manifest } from './entry.ts';
import { listLeftOut, listManifest } from './listing.ts';
import { lookAt } from './look.ts';
import { findLinkFault, findNameFault, isGitFolder } from './names.ts';
import { readContent } from './read-content.ts';
import type { OnContent } from './read-content.ts';
import { createIgnoreRules } from './rules/ignore-rules.ts';
import type { IgnoreRules } from './rules/ignore-rules.ts';
import { findSecretFileKind } from './rules/secret-files.ts';
import type { Row, TreeState } from './tree-state.ts';

export interface ScanOptions {
  /** Paths that take part although they look secret. */
  allow: readonly string[];
  /** Told of the content of each file that had to be read, while it is in memory. */
  onContent?: OnContent;
  /** Awaited now and then, so that others get a turn. */
  pause?: () => Promise<void>;
}

export interface Scan {
  /** False when there is no such folder. */
  exists: boolean;
  rows: Map<string, Row>;
  manifest: Manifest;
  left_out: LeftOut[];
  /** Whether a row differs from what was known before. */
  changed: boolean;
  /** Whether a path takes no part, though nothing may be there. */
  excludes(path: string): boolean;
}

const IGNORE_FILES = ['.gitignore', '.spoqignore'] as const;
/** A file that is written twice within the clock of its file system looks as if it were written once. */
const CLOCK_MS = 20;
const COARSE_CLOCK_MS = 2000;
const PAUSE_EVERY = 512;

/**
 * Looks at a tree. What is known and unchanged costs one lstat: a folder whose times are as they were holds the names that it
 * held, and a file whose size, times and inode are as they were holds what it held.
 */
export async function scanTree(root: string, state: TreeState, options: ScanOptions): Promise<Scan> {
  const asked = new Set(listOdd(state.allow, options.allow));
  const known = asked.size === 0 ? state.rows : new Map([...state.rows].filter(([path]) => !asked.has(path)));
  const sameRules = known.size > 0 && asked.size === 0;
  const looked: Stats[] = [];
  if (sameRules && (await isAllSame(root, known, looked, options.pause))) return describeUnchanged(root, known);
  const seen = new Map<string, Stats>();
  for (const path of known.keys()) {
    const stats = looked[seen.size];
    if (stats === undefined) break;
    seen.set(path, stats);
  }
  const first = await createWalk(root, known, options, sameRules, seen).run();
  // What an ignore file says holds for paths that were not looked at.
  return sameRules && first.rulesChanged
    ? (await createWalk(root, first.rows, options, false).run()).scan(true)
    : first.scan(!sameRules);
}

/** What is in one of the lists and not in the other. */
function listOdd(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}

interface Walk {
  rows: Map<string, Row>;
  rulesChanged: boolean;
  scan(changed: boolean): Scan;
}

function createWalk(
  root: string,
  known: Map<string, Row>,
  options: ScanOptions,
  trust: boolean,
  seen: Map<string, Stats> = new Map(),
): { run(): Promise<Walk> } {
  const rows = new Map<string, Row>();
  const rules = createIgnoreRules(root, ...IGNORE_FILES);
  const allow = new Set(options.allow);
  const children = trust ? groupChildren(known) : new Map<string, string[]>();
  let rulesChanged = false;
  let changed = false;
  let looked = 0;
  let exists = true;
  const at = (path: string): string => (path === '' ? root : `${root}/${path}`);

  const look = (path: string, stats: Stats, before: Row | undefined): Row => {
    if (before !== undefined && isSame(before, stats)) return before;
    changed = true;
    if (isRulesFile(path)) rulesChanged = true;
    return inspect(root, path, stats, before, allow, options.onContent);
  };

  const walkFolder = async (path: string, row: Row, before: Row | undefined): Promise<void> => {
    const isKnown = trust && before === row;
    if (isKnown) row = before ?? row;
    rows.set(path, row);
    const names = isKnown ? (children.get(path) ?? []) : listNames(at(path), row);
    const folders: [string, Row, Row | undefined][] = [];
    let mixed = isKnown && row.mixed;
    for (const name of names) {
      const child = path === '' ? name : `${path}/${name}`;
      if (++looked % PAUSE_EVERY === 0) await options.pause?.();
      const earlier = known.get(child);
      if (earlier === undefined && isGitFolder(name)) {
        mixed = true;
        continue;
      }
      const stats = seen.get(child) ?? lookAt(at(child));
      if (stats === undefined) {
        changed = true;
        if (isRulesFile(child)) rulesChanged = true;
        if (earlier === undefined) rows.set(child, leave('a name that is not UTF-8'));
        continue;
      }
      const isFolder = stats.isDirectory();
      if ((earlier === undefined || !trust) && isIgnored(rules, child, isFolder)) {
        mixed = true;
        continue;
      }
      const found = look(child, stats, earlier);
      if (found.left !== undefined) mixed = true;
      if (isFolder && found.entry?.kind === 'folder') folders.push([child, found, earlier]);
      else rows.set(child, found);
      if (rows.size > SYNC_LIMITS.entries) throw tooMany(root);
    }
    if (mixed !== row.mixed) rows.set(path, { ...row, mixed });
    for (const [child, found, earlier] of folders) await walkFolder(child, found, earlier);
  };

  return {
    async run() {
      const stats = lookAt(root);
      exists = stats !== undefined && stats.isDirectory();
      if (stats !== undefined && exists) await walkFolder('', look('', stats, known.get('')), known.get(''));
      changed ||= rows.size !== known.size;
      // A file of rules that is gone was not met by the walk of its folder.
      if (trust && changed) rulesChanged ||= [...known.keys()].some((path) => isRulesFile(path) && !rows.has(path));
      return {
        rows,
        rulesChanged,
        scan: (more) => ({
          exists,
          rows,
          manifest: listManifest(rows),
          left_out: listLeftOut(rows),
          changed: changed || more,
          excludes: (path) => isExcluded(rows, rules, path),
        }),
      };
    },
  };
}

function isRulesFile(path: string): boolean {
  return path.endsWith('ignore') && IGNORE_FILES.some((name) => name === baseName(path));
}

/** Whether every row is as it was; `looked` gets what was seen on the way to one that isn't, in the order of the rows. */
async function isAllSame(
  root: string,
  known: Map<string, Row>,
  looked: Stats[],
  pause: (() => Promise<void>) | undefined,
): Promise<boolean> {
  for (const [path, row] of known) {
    if (looked.length % PAUSE_EVERY === PAUSE_EVERY - 1) await pause?.();
    const stats = lookAt(path === '' ? root : `${root}/${path}`);
    if (stats === undefined || !isSame(row, stats)) return false;
    looked.push(stats);
  }
  return true;
}

function describeUnchanged(root: string, rows: Map<string, Row>): Scan {
  const rules = createIgnoreRules(root, ...IGNORE_FILES);
  return {
    exists: true,
    rows,
    manifest: listManifest(rows),
    left_out: listLeftOut(rows),
    changed: false,
    excludes: (path) => isExcluded(rows, rules, path),
  };
}

function isExcluded(rows: Map<string, Row>, rules: IgnoreRules, path: string): boolean {
  if (rows.get(path)?.left !== undefined) return true;
  for (const folder of ancestorsOf(path))
    if (rows.get(folder)?.left !== undefined || isIgnored(rules, folder, true)) return true;
  return path.split('/').some(isGitFolder) || isIgnored(rules, path, false) || isIgnored(rules, path, true);
}

function isIgnored(rules: IgnoreRules, path: string, isFolder: boolean): boolean {
  return rules.isIgnored(isFolder ? `${path}/` : path);
}

function tooMany(root: string): SpoqError {
  return new SpoqError('sync_refused', {
    detail: `${root} holds more than ${SYNC_LIMITS.entries.toLocaleString('en')} files and folders.`,
    next: 'Name what need not go along in .spoqignore (build results, data), or sync a folder further down.',
  });
}

function isSame(row: Row, stats: Stats): boolean {
  const { entry } = row;
  if (row.fresh) return false;
  if (row.mtime_ms !== stats.mtimeMs || row.ctime_ms !== stats.ctimeMs || row.inode !== stats.ino) return false;
  if (entry?.kind === 'file') return stats.isFile() && entry.size === stats.size && entry.mode === (stats.mode & 0o777);
  return entry?.kind !== 'folder' || (stats.isDirectory() && entry.mode === (stats.mode & 0o777));
}

/** What is at a path, content and all. */
function inspect(
  root: string,
  path: string,
  stats: Stats,
  before: Row | undefined,
  allow: ReadonlySet<string>,
  onContent: OnContent | undefined,
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
  const allowed = allow.has(path);
  const kind = allowed ? undefined : findSecretFileKind(path);
  if (kind !== undefined) return out(`withheld: ${kind}`);
  if (stats.isSymbolicLink()) {
    const target = readlinkSync(`${root}/${path}`);
    const wrong = findLinkFault(path, target);
    return wrong === undefined ? row({ kind: 'link', target }) : out(wrong);
  }
  if (!stats.isFile()) return out(describeKind(stats));
  if (stats.size > SYNC_LIMITS.file_bytes) return out('larger than 4 GiB');
  const content = readContent(`${root}/${path}`, stats, allowed, onContent);
  if ('left' in content) return { ...out(content.left), fresh: content.again === true };
  return row({ kind: 'file', mode: stats.mode & 0o777, size: content.size, hash: content.hash });
}

function describeKind(stats: Stats): string {
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function leave(left: string): Row {
  return { entry: undefined, left, mtime_ms: 0, ctime_ms: 0, inode: 0, mixed: false, fresh: true };
}

/** After a change that is so fresh, another may follow within the same tick and show in no time of the file. */
function isFresh(stats: Stats, now = Date.now()): boolean {
  const tick = Number.isInteger(stats.mtimeMs / 1000) ? COARSE_CLOCK_MS : CLOCK_MS;
  return stats.mtimeMs + tick >= now || stats.ctimeMs + CLOCK_MS >= now;
}

function listNames(folder: string, row: Row): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    row.entry = undefined;
    row.left = 'a folder that cannot be read';
    row.fresh = true;
    return [];
  }
}

function groupChildren(rows: Map<string, Row>): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const path of rows.keys()) {
    if (path === '') continue;
    const parent = parentOf(path);
    const names = children.get(parent);
    const name = parent === '' ? path : path.slice(parent.length + 1);
    if (names === undefined) children.set(parent, [name]);
    else names.push(name);
  }
  return children;
}
