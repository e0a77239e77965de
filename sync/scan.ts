import { readdirSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { SpoqError } from '../contract/errors.ts';
import { SYNC_LIMITS } from '../contract/workspaces.ts';
import type { Entry, LeftOut } from '../contract/workspaces.ts';
import { createLayered } from './layered.ts';
import { NO_COLUMNS } from './columns.ts';
import type { Columns } from './columns.ts';
import { ancestorsOf, baseName, parentOf } from './entry.ts';
import { IGNORED, listLeftOut, viewManifest } from './listing.ts';
import type { ManifestView } from './listing.ts';
import { lookAt } from './look.ts';
import { openFastLooks } from './look-fast.ts';
import { inspect, UNREAD, unreadable } from './inspect.ts';
import { isGitFolder } from './names.ts';
import { readContent } from './read-content.ts';
import type { OnContent } from './read-content.ts';
import { createIgnoreRules } from './rules/ignore-rules.ts';
import type { IgnoreRules } from './rules/ignore-rules.ts';
import { isSame } from './tree-state.ts';
import type { Row, Rows, TreeState } from './tree-state.ts';

export interface ScanOptions {
  /** Paths that take part although they look secret. */
  allow: readonly string[];
  /** Told how much has to be read, before it is; it is awaited. */
  onUnread?: (files: number, bytes: number) => Promise<void> | void;
  /** Told of the content of each file that had to be read, while it is in memory. */
  onContent?: OnContent;
  /** Told of each file that was read and takes part; `look` says what was found elsewhere. */
  onFile?: (path: string, entry: Entry & { kind: 'file' }, look: (path: string) => Entry | undefined) => void;
  /** Awaited now and then, so that others get a turn; and while `isFull`, before the next file is read. */
  pause?: () => Promise<void>;
  isFull?: () => boolean;
}

export interface Scan {
  /** False when there is no such folder. */
  exists: boolean;
  rows: Rows;
  manifest: ManifestView;
  left_out: LeftOut[];
  /** Whether a row differs from what was known before. */
  changed: boolean;
  /** Whether a path takes no part, though nothing may be there. */
  excludes(path: string): boolean;
}

const IGNORE_FILES = ['.gitignore', '.spoqignore'] as const;
const PAUSE_EVERY = 512;
/** Half a millisecond: a connection that is made meanwhile needs many turns. */
const LOOKS_BEFORE_PAUSE = 256;
const PAUSE_BYTES = 16 * 1024 * 1024;

/** Somewhere where something isn't as it was; no stats where nothing is any more. */
export type Odd = [path: string, stats: Stats | undefined];

/**
 * Looks at a tree. What is known and unchanged costs one lstat: a folder whose times are as they were holds the names that it
 * held, and a file whose size, times and inode are as they were holds what it held. `odd`: what `findOdd` has found already.
 */
export async function scanTree(root: string, state: TreeState, options: ScanOptions, odd?: Odd[]): Promise<Scan> {
  const asked = listOdd(state.allow, options.allow);
  const known = asked.length === 0 ? state.rows : state.rows.copy();
  for (const path of asked) known.delete(path);
  const walk = createWalk(root, known, options);
  if (known.size === 0 || asked.length > 0) return walk.whole();
  return walk.again(odd ?? (await findOddRows(root, known, options.pause)));
}

/** What is in one of the lists and not in the other. */
function listOdd(a: readonly string[], b: readonly string[]): string[] {
  return [...a.filter((one) => !b.includes(one)), ...b.filter((one) => !a.includes(one))];
}

async function findOddRows(root: string, rows: Rows, pause: ScanOptions['pause']): Promise<Odd[]> {
  const odd = await findOdd(root, rows.ground.columns, pause);
  if (rows.changed.size === 0) return odd;
  const others = odd.filter(([path]) => !rows.changed.has(path));
  for (const [path, row] of rows.changed) {
    const stats = row === null ? undefined : lookAt(locate(root, path));
    if (row !== null && (stats === undefined || !isSame(row, stats))) others.push([path, stats]);
  }
  return others;
}

/** Looks at every path that is in the columns. */
export async function findOdd(root: string, columns: Columns, pause: ScanOptions['pause']): Promise<Odd[]> {
  const odd: Odd[] = [];
  const { paths } = columns.parts;
  const fast = openFastLooks(root, paths);
  try {
    for (let at = 0, start = 0; at < columns.count; at++) {
      if (at % LOOKS_BEFORE_PAUSE === LOOKS_BEFORE_PAUSE - 1) await pause?.();
      // The root itself is looked at from outside: it may be a link by now.
      const look = paths[start] === 0 ? undefined : fast?.at(start);
      start = paths.indexOf(0, start) + 1;
      if (look !== undefined && columns.isSame(at, look)) continue;
      const path = columns.pathAt(at);
      const stats = lookAt(locate(root, path));
      if (stats === undefined || !columns.isSame(at, stats)) odd.push([path, stats]);
    }
  } finally {
    fast?.close();
  }
  return odd;
}

function locate(root: string, path: string): string {
  return path === '' ? root : `${root}/${path}`;
}

interface Walk {
  /** Everything is listed; what is known isn't read again. */
  whole(): Promise<Scan>;
  /** Only what is odd. */
  again(odd: readonly Odd[]): Promise<Scan>;
}

function createWalk(root: string, known: Rows, options: ScanOptions): Walk {
  let rows: Rows = createLayered(NO_COLUMNS.rows);
  const rules = createIgnoreRules(root, ...IGNORE_FILES);
  const allow = new Set(options.allow);
  let looked = 0;
  let foundRules = false;
  const unread: { path: string; stats: Stats; row: Row }[] = [];
  const at = (path: string): string => locate(root, path);
  const isLeft = ({ left }: Row): boolean => left !== undefined && left !== UNREAD;
  const look = (path: string, stats: Stats, before: Row | undefined): Row => {
    if (before !== undefined && isSame(before, stats)) return before;
    const row = inspect(root, path, stats, before, allow);
    if (row.left === UNREAD) unread.push({ path, stats, row });
    return row;
  };

  /** One name of a folder that is listed: its row, if it gets one, and whether something there takes no part. */
  const meet = (child: string, name: string): { row?: Row | undefined; isFolder?: boolean; mixed: boolean } => {
    const before = known.get(child);
    if (before === undefined && isGitFolder(name)) return { mixed: true };
    foundRules ||= before === undefined && isRulesFile(child);
    const stats = lookAt(at(child));
    if (stats === undefined)
      return before === undefined ? { row: unreadable('a name that is not UTF-8'), mixed: true } : { mixed: false };
    const isFolder = stats.isDirectory();
    if (isIgnored(rules, child, isFolder)) {
      if (isFolder || !isRulesFile(child)) return { mixed: true };
      const row = inspect(root, child, stats, before, allow);
      return { row: { ...row, entry: undefined, left: IGNORED }, mixed: true };
    }
    const row = look(child, stats, before?.left === IGNORED ? undefined : before);
    return { row, isFolder: isFolder && row.entry?.kind === 'folder', mixed: isLeft(row) };
  };

  /** Lists a folder, and what is below it; names that have a row by then are left as they are. */
  const walkFolder = async (path: string, row: Row): Promise<void> => {
    rows.set(path, row);
    const folders: [string, Row][] = [];
    let mixed = false;
    for (const name of listNames(at(path), row)) {
      const child = path === '' ? name : `${path}/${name}`;
      const present = rows.get(child);
      if (present !== undefined) {
        mixed ||= isLeft(present);
        continue;
      }
      if (++looked % PAUSE_EVERY === 0) await options.pause?.();
      const met = meet(child, name);
      mixed ||= met.mixed;
      if (met.row === undefined) continue;
      if (met.isFolder === true) folders.push([child, met.row]);
      else rows.set(child, met.row);
    }
    if (rows.size > SYNC_LIMITS.entries) throw tooMany(root);
    if (mixed !== row.mixed) rows.set(path, { ...row, mixed });
    for (const [child, found] of folders) await walkFolder(child, found);
  };

  const describe = (exists: boolean, changed: boolean): Scan => {
    let manifest: ManifestView | undefined;
    return {
      exists,
      rows,
      get manifest() {
        return (manifest ??= viewManifest(rows));
      },
      left_out: listLeftOut(rows),
      changed,
      excludes: (path) => isExcluded(rows, rules, path),
    };
  };

  /** All that is listed by then: how much it is can be said before. */
  const readFiles = async (): Promise<void> => {
    await options.onUnread?.(
      unread.length,
      unread.reduce((sum, { stats }) => sum + stats.size, 0),
    );
    let bytes = 0;
    for (const { path, stats, row } of unread) {
      bytes += stats.size;
      if (++looked % PAUSE_EVERY === 0 || bytes > PAUSE_BYTES || options.isFull?.() === true) {
        bytes = 0;
        await options.pause?.();
      }
      const content = readContent(at(path), stats, allow.has(path), options.onContent);
      if ('left' in content) {
        rows.set(path, { ...row, left: content.left, fresh: content.again === true });
        mix(parentOf(path));
      } else {
        const entry = { kind: 'file', mode: stats.mode & 0o777, size: content.size, hash: content.hash } as const;
        rows.set(path, { ...row, entry, left: undefined });
        options.onFile?.(path, entry, (other) => rows.get(other)?.entry);
      }
    }
    unread.length = 0;
  };
  const mix = (folder: string): void => {
    const row = rows.get(folder);
    if (row?.mixed === false) rows.set(folder, { ...row, mixed: true });
  };

  const whole = async (): Promise<Scan> => {
    const stats = lookAt(root);
    const exists = stats?.isDirectory() === true;
    if (exists) await walkFolder('', look('', stats, known.get('')));
    await readFiles();
    return describe(exists, true);
  };

  const renew = async (path: string, stats: Stats | undefined): Promise<void> => {
    const before = rows.get(path);
    if (stats === undefined || before === undefined) return void rows.delete(path);
    const row = look(path, stats, before);
    if (row.entry?.kind === 'folder') return walkFolder(path, row);
    rows.set(path, row);
    if (isLeft(row)) mix(parentOf(path));
  };

  return {
    whole,
    async again(odd) {
      if (odd.length === 0) {
        rows = known;
        return describe(true, false);
      }
      // What an ignore file says holds for paths that are as they were.
      if (odd.some(([path, stats]) => isRulesFile(path) || (path === '' && stats?.isDirectory() !== true)))
        return whole();
      rows = known.copy();
      for (const [path, stats] of odd) {
        if (++looked % PAUSE_EVERY === 0) await options.pause?.();
        await renew(path, stats);
      }
      if (!foundRules) {
        await readFiles();
        return describe(true, true);
      }
      rows = createLayered(NO_COLUMNS.rows);
      unread.length = 0;
      return whole();
    },
  };
}

function isRulesFile(path: string): boolean {
  return path.endsWith('ignore') && IGNORE_FILES.some((name) => name === baseName(path));
}

function isExcluded(rows: Rows, rules: IgnoreRules, path: string): boolean {
  const row = rows.get(path);
  if (row !== undefined) return row.left !== undefined;
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
