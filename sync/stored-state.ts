import { readFileSync } from 'node:fs';
import type { Entry } from '../contract/workspaces.ts';
import { listDiffering } from './changes.ts';
import { createColumns, encodeRows } from './columns.ts';
import type { ColumnParts, Columns } from './columns.ts';
import { sameEntry } from './entry.ts';
import { createLayered } from './layered.ts';
import { replaceFile } from './replace-file.ts';
import { createTreeState } from './tree-state.ts';
import type { Rows, TreeState } from './tree-state.ts';

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
  columns: Columns;
  load(): TreeState;
}

const VERSION = 2;
const NUL = Buffer.from([0]);

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
  const columns = createColumns({
    numbers: new Float64Array(new Uint8Array(take(count * 4 * 8)).buffer),
    modes: new Uint16Array(new Uint8Array(take(count * 2)).buffer),
    kinds: new Uint8Array(take(count)),
    hashes: take(files * 32),
    paths: Buffer.concat([take(head.paths), NUL]),
    words: take(head.words),
  });
  const more = take(head.more);
  return {
    base_id,
    allow,
    agrees,
    columns,
    load() {
      const { previous, base } = JSON.parse(more.toString('utf8')) as More;
      return { ...layOut(columns, base), base_id, previous, allow };
    },
  };
}

/** State in columns; `differences`: where the base isn't what the rows say. */
function layOut(columns: Columns, differences: [string, Entry | null][]): Pick<TreeState, 'rows' | 'base'> {
  return { rows: createLayered(columns.rows), base: createLayered(columns.entries, new Map(differences)) };
}

/** The rows as they will lie on the disk: made while something else is waited for. */
export function packRows(rows: Rows): ColumnParts {
  return rows.ground.columns.patch(rows.changed) ?? encodeRows(rows);
}

/** Writes the state so that a crash leaves the old one or the new one. `packed`: its rows, where they have been packed already. */
export function saveTreeState(file: string, state: TreeState, packed = packRows(state.rows)): void {
  const { base_id, allow, previous } = state;
  const { numbers, modes, kinds, hashes, paths, words } = packed;
  const base = listDifferences(state);
  const more = Buffer.from(JSON.stringify({ ...(previous === undefined ? {} : { previous }), base } satisfies More));
  const names = paths.subarray(0, Math.max(0, paths.length - NUL.length));
  const head: Head = {
    version: VERSION,
    base_id,
    allow,
    agrees: base.length === 0,
    rows: kinds.length,
    files: hashes.length / 32,
    paths: names.length,
    words: words.length,
    more: more.length,
  };
  const json = Buffer.from(JSON.stringify(head));
  const beginning = Buffer.alloc(pad(4 + json.length));
  beginning.writeUInt32LE(json.length, 0);
  json.copy(beginning, 4);
  const columns = [numbers, modes, kinds].map(({ buffer }) => new Uint8Array(buffer));
  replaceFile(file, beginning, ...columns, hashes, names, words, more);
  Object.assign(state, layOut(createColumns(packed), base));
}

/** Where the base isn't what the rows say: few, after a sync none. */
function listDifferences({ rows, base }: TreeState): [string, Entry | null][] {
  const differences: [string, Entry | null][] = [];
  for (const path of listDiffering(rows, base)) {
    const [entry, agreed] = [path === '' ? undefined : rows.get(path)?.entry, base.get(path)];
    if (!sameEntry(entry, agreed)) differences.push([path, agreed ?? null]);
  }
  return differences;
}
