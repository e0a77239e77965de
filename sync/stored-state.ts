import { readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { Entry, LeftOut } from '../contract/workspaces.ts';
import { sameEntry } from './entry.ts';
import { describeLeftOut } from './listing.ts';
import { replaceFile } from './replace-file.ts';
import { createTreeState } from './tree-state.ts';
import type { Row, TreeState } from './tree-state.ts';

/** The name of the file in the folder of what is known about a tree. */
export const STATE_FILE = 'tree.state';

/**
 * A state as it lies on the disk: columns, all of 20,000 rows read in a millisecond. Whether anything has changed can be seen in them,
 * and nearly always nothing has.
 *
 *     u32 length   head (JSON)   padding to 8   numbers (f64): sizes, mtimes, ctimes, inodes
 *     modes (u16)   kinds (u8)   hashes (32 bytes a file)   paths   words   more (JSON)
 *
 * Numbers are little-endian, as on every processor that Spoq runs on. Paths, and targets of links and reasons in order (words), are separated
 * by NUL, which none of them can hold.
 */
export interface StoredState {
  base_id: string | null;
  allow: string[];
  /** True: what both sides agreed on is what the rows say. */
  agrees: boolean;
  paths: string[];
  /** Whether a row is as it was; see `isSame`. */
  isSame(at: number, stats: Stats): boolean;
  /** What takes no part, and why. */
  listLeftOut(): LeftOut[];
  load(): TreeState;
}

const VERSION = 2;
/** Index into KINDS; more for a mixed folder, and for what is fresh. */
const KINDS = ['file', 'link', 'folder', undefined] as const;
const [FILE, LINK, FOLDER, LEFT] = [0, 1, 2, 3];
const [KIND, MIXED, FRESH] = [3, 4, 8];

interface Head {
  version: typeof VERSION;
  base_id: string | null;
  allow: string[];
  agrees: boolean;
  rows: number;
  /** Of them. */
  files: number;
  /** Bytes. */
  paths: number;
  words: number;
  more: number;
}

/** Its shape is not looked at: it is our own file, and belongs to the head. */
interface More {
  previous?: TreeState['previous'];
  /** Where the base differs from the rows. */
  base: [string, Entry | null][];
}

/** Reads a state; `undefined` where there is none, or none that can be read: then everything is looked at again. */
export function readStoredState(file: string): StoredState | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const head = readHead(bytes);
  return head === undefined ? undefined : openColumns(bytes, head);
}

export function loadTreeState(file: string): TreeState {
  return readStoredState(file)?.load() ?? createTreeState();
}

/** A file of another version, or one that isn't as long as its head says, is none. */
function readHead(bytes: Buffer): Head | undefined {
  try {
    const head = JSON.parse(bytes.toString('utf8', 4, 4 + bytes.readUInt32LE(0))) as Head;
    return head.version === VERSION && bytes.length === findEnd(bytes, head) ? head : undefined;
  } catch {
    return undefined;
  }
}

function findEnd(bytes: Buffer, { rows, files, paths, words, more }: Head): number {
  return pad(4 + bytes.readUInt32LE(0)) + rows * (4 * 8 + 2 + 1) + files * 32 + paths + words + more;
}

function pad(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function openColumns(bytes: Buffer, head: Head): StoredState {
  const { rows: count, files, base_id, allow, agrees } = head;
  let end = pad(4 + bytes.readUInt32LE(0));
  const take = (length: number): Buffer => bytes.subarray(end, (end += length));
  // A copy is aligned.
  const numbers = new Float64Array(new Uint8Array(take(count * 4 * 8)).buffer);
  const modes = new Uint16Array(new Uint8Array(take(count * 2)).buffer);
  const kinds = new Uint8Array(take(count));
  const hashes = take(files * 32);
  const [names, words, more] = [take(head.paths), take(head.words), take(head.more)];
  let paths: string[] | undefined;
  const listPaths = (): string[] => (paths ??= count === 0 ? [] : names.toString('utf8').split('\0'));
  const column = (index: number): Float64Array => numbers.subarray(index * count, (index + 1) * count);
  const [sizes, mtimes, ctimes, inodes] = [column(0), column(1), column(2), column(3)];
  return {
    base_id,
    allow,
    agrees,
    get paths() {
      return listPaths();
    },
    isSame(at, stats) {
      const code = kinds[at] ?? 0;
      if ((code & FRESH) !== 0 || mtimes[at] !== stats.mtimeMs) return false;
      if (ctimes[at] !== stats.ctimeMs || inodes[at] !== stats.ino) return false;
      const kind = code & KIND;
      if (kind === FILE) return stats.isFile() && sizes[at] === stats.size && modes[at] === (stats.mode & 0o777);
      return kind !== FOLDER || (stats.isDirectory() && modes[at] === (stats.mode & 0o777));
    },
    listLeftOut() {
      const texts = words.toString('utf8').split('\0');
      let word = 0;
      return listPaths().flatMap((path, at) => {
        const kind = (kinds[at] ?? 0) & KIND;
        const text = kind === LINK || kind === LEFT ? (texts[word++] ?? '') : '';
        return kind === LEFT ? [describeLeftOut(path, text)] : [];
      });
    },
    load() {
      const rows = new Map<string, Row>();
      const all = listPaths();
      const [hex, texts] = [hashes.toString('hex'), words.toString('utf8').split('\0')];
      let [hash, word] = [0, 0];
      for (let at = 0; at < count; at++) {
        const code = kinds[at] ?? 0;
        const [kind, mode] = [KINDS[code & KIND], modes[at] ?? 0];
        let entry: Entry | undefined;
        if (kind === 'file') entry = { kind, mode, size: sizes[at] ?? 0, hash: hex.slice(hash, (hash += 64)) };
        else if (kind === 'folder') entry = { kind, mode };
        else if (kind === 'link') entry = { kind, target: texts[word++] ?? '' };
        rows.set(all[at] ?? '', {
          entry,
          left: entry === undefined ? (texts[word++] ?? '') : undefined,
          mtime_ms: mtimes[at] ?? 0,
          ctime_ms: ctimes[at] ?? 0,
          inode: inodes[at] ?? 0,
          mixed: (code & MIXED) !== 0,
          fresh: (code & FRESH) !== 0,
        });
      }
      const { previous, base: differences } = JSON.parse(more.toString('utf8')) as More;
      return { rows, base: makeBase(rows, differences), base_id, previous, allow };
    },
  };
}

function makeBase(rows: Map<string, Row>, differences: [string, Entry | null][]): Map<string, Entry> {
  const base = new Map<string, Entry>();
  for (const [path, { entry }] of rows) if (entry !== undefined && path !== '') base.set(path, entry);
  for (const [path, entry] of differences)
    if (entry === null) base.delete(path);
    else base.set(path, entry);
  return base;
}

/** The rows as they will lie on the disk: made while something else is waited for. */
export interface EncodedRows {
  count: number;
  files: number;
  numbers: Float64Array;
  modes: Uint16Array;
  kinds: Uint8Array;
  hashes: Buffer;
  paths: Buffer;
  words: Buffer;
}

export function encodeRows(rows: ReadonlyMap<string, Row>): EncodedRows {
  const count = rows.size;
  const numbers = new Float64Array(count * 4);
  const modes = new Uint16Array(count);
  const kinds = new Uint8Array(count);
  const [hashes, words]: [string[], string[]] = [[], []];
  let at = 0;
  for (const { entry, left, mtime_ms, ctime_ms, inode, mixed, fresh } of rows.values()) {
    kinds[at] = KINDS.indexOf(entry?.kind) | (mixed ? MIXED : 0) | (fresh ? FRESH : 0);
    if (entry === undefined) words.push(left ?? '');
    else if (entry.kind === 'link') words.push(entry.target);
    else modes[at] = entry.mode;
    if (entry?.kind === 'file') hashes.push(entry.hash);
    numbers[at] = entry?.kind === 'file' ? entry.size : 0;
    numbers[count + at] = mtime_ms;
    numbers[2 * count + at] = ctime_ms;
    numbers[3 * count + at] = inode;
    at++;
  }
  return {
    count,
    files: hashes.length,
    numbers,
    modes,
    kinds,
    hashes: Buffer.from(hashes.join(''), 'hex'),
    paths: Buffer.from([...rows.keys()].join('\0')),
    words: Buffer.from(words.join('\0')),
  };
}

/** Writes the state so that a crash leaves the old one or the new one. `encoded`: its rows, where they have been encoded already. */
export function saveTreeState(file: string, state: TreeState, encoded = encodeRows(state.rows)): void {
  const { base_id, allow, previous } = state;
  const { count, files, numbers, modes, kinds, hashes, paths, words } = encoded;
  const base = listDifferences(state);
  const more = Buffer.from(JSON.stringify({ ...(previous === undefined ? {} : { previous }), base } satisfies More));
  const head: Head = {
    version: VERSION,
    base_id,
    allow,
    agrees: base.length === 0,
    rows: count,
    files,
    paths: paths.length,
    words: words.length,
    more: more.length,
  };
  const json = Buffer.from(JSON.stringify(head));
  const beginning = Buffer.alloc(pad(4 + json.length));
  beginning.writeUInt32LE(json.length, 0);
  json.copy(beginning, 4);
  const columns = [numbers, modes, kinds].map(({ buffer }) => new Uint8Array(buffer));
  replaceFile(file, beginning, ...columns, hashes, paths, words, more);
}

/** Where the base isn't what the rows say: few, after a sync none. */
function listDifferences({ rows, base }: TreeState): [string, Entry | null][] {
  const differences: [string, Entry | null][] = [];
  for (const [path, { entry }] of rows)
    if (entry !== undefined && path !== '' && !base.has(path)) differences.push([path, null]);
  for (const [path, entry] of base) if (!sameEntry(rows.get(path)?.entry, entry)) differences.push([path, entry]);
  return differences;
}
