import { closeSync, fsyncSync, openSync, readFileSync, readSync, renameSync, writeSync } from 'node:fs';
import { z } from 'zod';
import type { Entry } from '../contract/workspaces.ts';

/** What was found at a path, and how to see without reading that it is still there. */
export interface Row {
  /** Undefined for what takes no part. */
  entry: Entry | undefined;
  /** Why it takes no part. */
  left: string | undefined;
  mtime_ms: number;
  ctime_ms: number;
  inode: number;
  /** A folder with something in it that takes no part. */
  mixed: boolean;
  /** Look again next time, whatever the times say. */
  fresh: boolean;
}

/** What one side knows of its tree between two syncs. */
export interface TreeState {
  /** By path, a folder before what is in it; '' is the root. */
  rows: Map<string, Row>;
  /** What both sides agreed on last, and the name of that; equal entries are the same objects as in `rows`. */
  base: Map<string, Entry>;
  base_id: string | null;
  /** The state before that: an answer that was lost is no state that was lost. Changes that lead back to it. */
  previous: { id: string | null; changes: [string, Entry | null][] } | undefined;
  /** The paths that were allowed when the rows were made. */
  allow: string[];
}

export function createTreeState(): TreeState {
  return { rows: new Map(), base: new Map(), base_id: null, previous: undefined, allow: [] };
}

const VERSION = 1;
/** The state begins with its version and the name of the base. */
const BEGINNING = /^\{"version":1,"base_id":(?:null|"([0-9a-f-]{36})")/;
const KINDS = ['file', 'link', 'folder'] as const;

/** Columns: twenty thousand rows are read in a few milliseconds. Paths and targets can't hold a NUL, which separates them. */
const Columns = z.object({
  version: z.literal(VERSION),
  base_id: z.uuid().nullable(),
  previous: z.object({ id: z.uuid().nullable(), changes: z.array(z.custom<[string, Entry | null]>()) }).optional(),
  allow: z.array(z.string()),
  count: z.number(),
  paths: z.string(),
  /** Index into KINDS, 3 for what takes no part; 8 more for a mixed folder, 16 for what is fresh. */
  kinds: z.array(z.number()),
  modes: z.array(z.number()),
  sizes: z.array(z.number()),
  hashes: z.string(),
  /** Targets of links, and reasons of what takes no part, in order. */
  words: z.array(z.string()),
  mtimes: z.array(z.number()),
  ctimes: z.array(z.number()),
  inodes: z.array(z.number()),
  /** Where the base differs from the rows. */
  base: z.array(z.custom<[string, Entry | null]>()),
});

/** Only the name of what was agreed on last: the other side can be asked while the rest is read. */
export function readBaseId(file: string): string | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(80);
    readSync(fd, bytes, 0, bytes.length, 0);
    return BEGINNING.exec(bytes.toString('latin1'))?.[1] ?? null;
  } finally {
    closeSync(fd);
  }
}

/** Reads the state; a new one where there is none, or none that can be read: then everything is looked at again. */
export function loadTreeState(file: string): TreeState {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return createTreeState();
    throw error;
  }
  const columns = parseColumns(text);
  if (columns === undefined) return createTreeState();
  const rows = readRows(columns);
  const base = new Map<string, Entry>();
  for (const [path, row] of rows) if (row.entry !== undefined && path !== '') base.set(path, row.entry);
  for (const [path, entry] of columns.base)
    if (entry === null) base.delete(path);
    else base.set(path, entry);
  return { rows, base, base_id: columns.base_id, previous: columns.previous, allow: columns.allow };
}

type Columns = z.infer<typeof Columns>;

/** Its shape is looked at, not every number in it: it is our own file, and a wrong number only makes a file be read again. */
function parseColumns(text: string): Columns | undefined {
  try {
    const value = JSON.parse(text) as Columns;
    const { count } = value;
    const whole =
      value.version === VERSION &&
      [value.kinds, value.modes, value.sizes, value.mtimes, value.ctimes, value.inodes].every(
        (column) => column.length === count,
      );
    return whole && Array.isArray(value.base) && Array.isArray(value.allow) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readRows(columns: Columns): Map<string, Row> {
  const rows = new Map<string, Row>();
  const paths = columns.paths.split('\0');
  let hash = 0;
  let word = 0;
  for (let at = 0; at < columns.count; at++) {
    const code = columns.kinds[at] ?? 0;
    const kind = KINDS[code & 7];
    const mode = columns.modes[at] ?? 0;
    let entry: Entry | undefined;
    let left: string | undefined;
    if (kind === 'file') {
      entry = { kind, mode, size: columns.sizes[at] ?? 0, hash: columns.hashes.slice(hash, hash + 64) };
      hash += 64;
    } else if (kind === 'folder') entry = { kind, mode };
    else if (kind === 'link') entry = { kind, target: columns.words[word++] ?? '' };
    else left = columns.words[word++] ?? '';
    rows.set(paths[at] ?? '', {
      entry,
      left,
      mtime_ms: columns.mtimes[at] ?? 0,
      ctime_ms: columns.ctimes[at] ?? 0,
      inode: columns.inodes[at] ?? 0,
      mixed: (code & 8) !== 0,
      fresh: (code & 16) !== 0,
    });
  }
  return rows;
}

/** Writes the state so that a crash leaves the old one or the new one. */
export function saveTreeState(file: string, state: TreeState): void {
  const columns: Columns = {
    version: VERSION,
    base_id: state.base_id,
    ...(state.previous === undefined ? {} : { previous: state.previous }),
    allow: state.allow,
    count: state.rows.size,
    paths: [...state.rows.keys()].join('\0'),
    kinds: [],
    modes: [],
    sizes: [],
    hashes: '',
    words: [],
    mtimes: [],
    ctimes: [],
    inodes: [],
    base: listDifferences(state),
  };
  const hashes: string[] = [];
  for (const { entry, left, mtime_ms, ctime_ms, inode, mixed, fresh } of state.rows.values()) {
    columns.kinds.push((entry === undefined ? 3 : KINDS.indexOf(entry.kind)) | (mixed ? 8 : 0) | (fresh ? 16 : 0));
    columns.modes.push(entry === undefined || entry.kind === 'link' ? 0 : entry.mode);
    columns.sizes.push(entry?.kind === 'file' ? entry.size : 0);
    if (entry?.kind === 'file') hashes.push(entry.hash);
    if (entry?.kind === 'link') columns.words.push(entry.target);
    if (entry === undefined) columns.words.push(left ?? '');
    columns.mtimes.push(mtime_ms);
    columns.ctimes.push(ctime_ms);
    columns.inodes.push(inode);
  }
  columns.hashes = hashes.join('');
  replaceFile(file, JSON.stringify(columns));
}

/** Where the base isn't what the rows say: few, after a sync none. */
function listDifferences({ rows, base }: TreeState): [string, Entry | null][] {
  const differences: [string, Entry | null][] = [];
  for (const [path, { entry }] of rows)
    if (entry !== undefined && path !== '' && !base.has(path)) differences.push([path, null]);
  for (const [path, entry] of base) if (rows.get(path)?.entry !== entry) differences.push([path, entry]);
  return differences;
}

/** Durably: whoever finds the new file after a power cut finds all of it. */
export function replaceFile(file: string, text: string): void {
  const draft = `${file}.new`;
  const fd = openSync(draft, 'w', 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
}
