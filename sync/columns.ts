import type { Entry, LeftOut } from '../contract/workspaces.ts';
import { describeLeftOut, IGNORED } from './listing.ts';
import { isFile, isFolder } from './look.ts';
import type { Look } from './look.ts';
import type { Row } from './tree-state.ts';

/** Rows as they lie in memory and on the disk: 20,000 of them are no objects until they are asked for. Nothing in them is changed. */
export interface ColumnParts {
  /** Sizes, mtimes, ctimes and inodes, one after the other. */
  numbers: Float64Array<ArrayBuffer>;
  modes: Uint16Array<ArrayBuffer>;
  /** Index into KINDS; more for a mixed folder, and for what is fresh. */
  kinds: Uint8Array<ArrayBuffer>;
  /** 32 bytes a file. */
  hashes: Buffer;
  /** A NUL, which none of them can hold, is behind each. */
  paths: Buffer;
  /** Targets of links and reasons, in order, with a NUL between two. */
  words: Buffer;
}

/** What columns hold, by path. */
export interface Ground<V> {
  readonly columns: Columns;
  readonly size: number;
  get(path: string): V | undefined;
  entries(): Iterable<[string, V]>;
}

export interface Columns {
  readonly parts: ColumnParts;
  readonly count: number;
  readonly rows: Ground<Row>;
  /** What the rows hold, without the root and what takes no part. */
  readonly entries: Ground<Entry>;
  pathAt(at: number): string;
  /** Whether a row is as it was; see `isSame`. */
  isSame(at: number, look: Look): boolean;
  /** Whether there is a folder, besides the root, with something in it that takes no part. */
  isMixed(): boolean;
  listLeftOut(): LeftOut[];
  /** Where these contents are: told of each path that has one of them. */
  findContents(hashes: ReadonlySet<string>, found: (hash: string, path: string) => void): void;
  /** The same with these rows in place of their own; `undefined` when they don't fit there: something came, went or is another kind of thing. */
  patch(rows: Iterable<[string, Row | null]>): ColumnParts | undefined;
}

const KINDS = ['file', 'link', 'folder', undefined] as const;
const [FILE, LINK, FOLDER, LEFT] = [0, 1, 2, 3];
const [KIND, MIXED, FRESH] = [3, 4, 8];
const HASH_BYTES = 32;

export function createColumns(parts: ColumnParts): Columns {
  const { numbers, modes, kinds, hashes, paths, words } = parts;
  const count = kinds.length;
  const column = (index: number): Float64Array => numbers.subarray(index * count, (index + 1) * count);
  const [sizes, mtimes, ctimes, inodes] = [column(0), column(1), column(2), column(3)];
  const kindAt = (at: number): number => (kinds[at] ?? 0) & KIND;
  const names = once(() => (count === 0 ? [] : paths.toString('utf8', 0, paths.length - 1).split('\0')));
  const index = once(() => new Map(names().map((path, at) => [path, at])));
  const texts = once(() => words.toString('utf8').split('\0'));
  /** How many files, and how many with a word, come before a row. */
  const before = once(() => {
    const [files, worded] = [new Uint32Array(count), new Uint32Array(count)];
    for (let at = 0, file = 0, word = 0; at < count; at++) {
      [files[at], worded[at]] = [file, word];
      if (kindAt(at) === FILE) file++;
      else if (kindAt(at) !== FOLDER) word++;
    }
    return { files, worded };
  });
  const hashAt = (at: number): string => {
    const start = (before().files[at] ?? 0) * HASH_BYTES;
    return hashes.toString('hex', start, start + HASH_BYTES);
  };
  const wordAt = (at: number): string => texts()[before().worded[at] ?? 0] ?? '';
  const entryAt = (at: number): Entry | undefined => {
    const [kind, mode] = [KINDS[kindAt(at)], modes[at] ?? 0];
    if (kind === 'file') return { kind, mode, size: sizes[at] ?? 0, hash: hashAt(at) };
    if (kind === 'folder') return { kind, mode };
    return kind === 'link' ? { kind, target: wordAt(at) } : undefined;
  };
  const rowAt = (at: number): Row => ({
    entry: entryAt(at),
    left: kindAt(at) === LEFT ? wordAt(at) : undefined,
    mtime_ms: mtimes[at] ?? 0,
    ctime_ms: ctimes[at] ?? 0,
    inode: inodes[at] ?? 0,
    mixed: ((kinds[at] ?? 0) & MIXED) !== 0,
    fresh: ((kinds[at] ?? 0) & FRESH) !== 0,
  });
  function* list<V>(read: (at: number) => V | undefined): Generator<[string, V]> {
    for (const [at, path] of names().entries()) {
      const value = read(at);
      if (value !== undefined) yield [path, value];
    }
  }
  const isRoot = (at: number): boolean => at === 0 && paths[0] === 0;
  const heldAt = (at: number): Entry | undefined => (isRoot(at) ? undefined : entryAt(at));
  const find = (path: string): number | undefined => (count === 0 ? undefined : index().get(path));
  const countHeld = once(() => ({
    held: kinds.reduce((sum, _code, at) => sum + (isRoot(at) || kindAt(at) === LEFT ? 0 : 1), 0),
  }));
  const open = <V>(measure: () => number, read: (at: number) => V | undefined): Ground<V> => ({
    get columns() {
      return columns;
    },
    get size() {
      return measure();
    },
    get(path) {
      const at = find(path);
      return at === undefined ? undefined : read(at);
    },
    entries: () => list(read),
  });
  const columns: Columns = {
    parts,
    count,
    rows: open(() => count, rowAt),
    entries: open(() => countHeld().held, heldAt),
    pathAt: (at) => names()[at] ?? '',
    isSame(at, look) {
      if (((kinds[at] ?? 0) & FRESH) !== 0 || mtimes[at] !== look.mtimeMs) return false;
      if (ctimes[at] !== look.ctimeMs || inodes[at] !== look.ino) return false;
      const kind = kindAt(at);
      if (kind !== FILE && kind !== FOLDER) return true;
      if (!(kind === FILE ? isFile(look) : isFolder(look))) return false;
      return modes[at] === (look.mode & 0o777) && (kind === FOLDER || sizes[at] === look.size);
    },
    isMixed: () => kinds.some((code, at) => (code & MIXED) !== 0 && !isRoot(at)),
    listLeftOut() {
      const list: LeftOut[] = [];
      if (kinds.some((code) => (code & KIND) === LEFT))
        for (let at = 0; at < count; at++)
          if (kindAt(at) === LEFT && wordAt(at) !== IGNORED) list.push(describeLeftOut(names()[at] ?? '', wordAt(at)));
      return list;
    },
    findContents(wanted, found) {
      // Few begin alike: most are passed over without their text.
      const beginnings = new Set([...wanted].map((hash) => Number.parseInt(hash.slice(0, 8), 16)));
      for (let at = 0, start = 0; at < count; at++) {
        if (kindAt(at) !== FILE) continue;
        if (beginnings.has(hashes.readUInt32BE(start))) {
          const hash = hashes.toString('hex', start, start + HASH_BYTES);
          if (wanted.has(hash)) found(hash, names()[at] ?? '');
        }
        start += HASH_BYTES;
      }
    },
    patch(changed) {
      const patched = { ...parts, numbers: numbers.slice(), modes: modes.slice(), kinds: kinds.slice() };
      patched.hashes = Buffer.from(hashes);
      for (const [path, row] of changed) {
        const at = find(path);
        if (at === undefined || row === null) return undefined;
        const code = encodeKind(row);
        if ((code & KIND) !== kindAt(at)) return undefined;
        if ((kindAt(at) === LINK || kindAt(at) === LEFT) && wordOf(row) !== wordAt(at)) return undefined;
        writeRow(patched, at, row);
        if (row.entry?.kind === 'file')
          patched.hashes.write(row.entry.hash, (before().files[at] ?? 0) * HASH_BYTES, 'hex');
      }
      return patched;
    },
  };
  return columns;
}

export function encodeRows(rows: Iterable<[string, Row]> & { readonly size: number }): ColumnParts {
  const [count, hashes, paths, words]: [number, string[], string[], string[]] = [rows.size, [], [], []];
  const parts = {
    numbers: new Float64Array(count * 4),
    modes: new Uint16Array(count),
    kinds: new Uint8Array(count),
  };
  let at = 0;
  for (const [path, row] of rows) {
    writeRow(parts, at++, row);
    paths.push(path, '\0');
    if (row.entry?.kind === 'file') hashes.push(row.entry.hash);
    else if (row.entry?.kind !== 'folder') words.push(wordOf(row));
  }
  return {
    ...parts,
    hashes: Buffer.from(hashes.join(''), 'hex'),
    paths: Buffer.from(paths.join('')),
    words: Buffer.from(words.join('\0')),
  };
}

function writeRow(
  { numbers, modes, kinds }: Pick<ColumnParts, 'numbers' | 'modes' | 'kinds'>,
  at: number,
  row: Row,
): void {
  const { entry } = row;
  const count = kinds.length;
  kinds[at] = encodeKind(row);
  modes[at] = entry === undefined || entry.kind === 'link' ? 0 : entry.mode;
  numbers[at] = entry?.kind === 'file' ? entry.size : 0;
  numbers[count + at] = row.mtime_ms;
  numbers[2 * count + at] = row.ctime_ms;
  numbers[3 * count + at] = row.inode;
}

function encodeKind({ entry, mixed, fresh }: Row): number {
  return KINDS.indexOf(entry?.kind) | (mixed ? MIXED : 0) | (fresh ? FRESH : 0);
}

function wordOf({ entry, left }: Row): string {
  return entry?.kind === 'link' ? entry.target : (left ?? '');
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export const NO_COLUMNS: Columns = createColumns({
  numbers: new Float64Array(0),
  modes: new Uint16Array(0),
  kinds: new Uint8Array(0),
  hashes: Buffer.alloc(0),
  paths: Buffer.alloc(0),
  words: Buffer.alloc(0),
});
