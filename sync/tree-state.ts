import type { Entry } from '../contract/workspaces.ts';
import { NO_COLUMNS } from './columns.ts';
import { createLayered } from './layered.ts';
import type { Layered } from './layered.ts';
import { isFile, isFolder } from './look.ts';
import type { Look } from './look.ts';

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

/** By path, a folder before what is in it; '' is the root. */
export type Rows = Layered<Row>;

/** What one side knows of its tree between two syncs. */
export interface TreeState {
  rows: Rows;
  /** What both sides agreed on last, and the name of that. */
  base: Layered<Entry>;
  base_id: string | null;
  /** The state before that: an answer that was lost is no state that was lost. Changes that lead back to it. */
  previous: { id: string | null; changes: [string, Entry | null][] } | undefined;
  /** The paths that were allowed when the rows were made. */
  allow: string[];
}

export function createTreeState(): TreeState {
  return {
    rows: createLayered(NO_COLUMNS.rows),
    base: createLayered(NO_COLUMNS.entries),
    base_id: null,
    previous: undefined,
    allow: [],
  };
}

/** Forgets what was agreed on, as for a tree that is new. */
export function forgetBase(state: TreeState): void {
  Object.assign(state, { ...createTreeState(), rows: state.rows, allow: state.allow });
}

/** Whether what is there now is what a row was made of, by all that can be seen without reading. */
export function isSame({ entry, mtime_ms, ctime_ms, inode, fresh }: Row, look: Look): boolean {
  if (fresh || mtime_ms !== look.mtimeMs || ctime_ms !== look.ctimeMs || inode !== look.ino) return false;
  if (entry?.kind === 'file') return isFile(look) && entry.size === look.size && entry.mode === (look.mode & 0o777);
  return entry?.kind !== 'folder' || (isFolder(look) && entry.mode === (look.mode & 0o777));
}
