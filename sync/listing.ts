import type { Entry, LeftOut } from '../contract/workspaces.ts';
import type { Columns } from './columns.ts';
import { parentOf } from './entry.ts';
import type { Tree } from './entry.ts';
import type { Layered } from './layered.ts';
import type { Rows } from './tree-state.ts';

/** What rows hold. */
export interface ManifestView extends Tree {
  /** Folders that hold only what takes no part are left out with it: nobody misses them on the other side. */
  readonly hollow: ReadonlySet<string>;
}

export function viewManifest(rows: Rows): ManifestView {
  const hollow = findHollow(rows);
  const get = (path: string): Entry | undefined =>
    path === '' || hollow.has(path) ? undefined : rows.get(path)?.entry;
  function* list(): Generator<[string, Entry]> {
    for (const [path, { entry }] of rows)
      if (entry !== undefined && path !== '' && !hollow.has(path)) yield [path, entry];
  }
  return {
    hollow,
    get,
    has: (path) => get(path) !== undefined,
    *keys() {
      for (const [path] of list()) yield path;
    },
    [Symbol.iterator]: list,
  };
}

/** Of columns that nothing has changed since: every look at a tree asks. */
const remembered = new WeakMap<Columns, ReadonlySet<string>>();

function findHollow(rows: Rows): ReadonlySet<string> {
  const { columns } = rows.ground;
  if (rows.changed.size > 0) return searchHollow(rows);
  const hollow = remembered.get(columns) ?? searchHollow(rows);
  remembered.set(columns, hollow);
  return hollow;
}

function searchHollow(rows: Rows): Set<string> {
  const hollow = new Set<string>();
  if (!hasMixedFolder(rows)) return hollow;
  const used = new Set<string>();
  const above = new Set<string>();
  for (const [path, { entry, mixed }] of [...rows].toReversed()) {
    if (entry === undefined || path === '') continue;
    if (entry.kind === 'folder' && !used.has(path) && (mixed || above.has(path))) {
      hollow.add(path);
      above.add(parentOf(path));
    } else used.add(parentOf(path));
  }
  return hollow;
}

function hasMixedFolder({ ground, changed }: Rows): boolean {
  for (const [path, row] of changed) if (row?.mixed === true && path !== '') return true;
  return ground.columns.isMixed();
}

/** What an ignore file is left out for that is ignored itself: it has a row, so that a change of what it says is seen, and is not told. */
export const IGNORED = 'ignored';

/** What takes no part, and why. */
export function listLeftOut({ ground, changed }: Rows): LeftOut[] {
  const list = ground.columns.listLeftOut().filter(({ path }) => !changed.has(path));
  for (const [path, row] of changed)
    if (row?.left !== undefined && row.left !== IGNORED) list.push(describeLeftOut(path, row.left));
  return list;
}

export function describeLeftOut(path: string, reason: string): LeftOut {
  return { path, reason, withheld: reason.startsWith('withheld: ') };
}

/** Where these contents are: hash to a path that has it. */
export function findContents(tree: Rows | Layered<Entry>, hashes: ReadonlySet<string>): Map<string, string> {
  const { ground, changed } = tree;
  const found = new Map<string, string>();
  if (hashes.size === 0) return found;
  ground.columns.findContents(hashes, (hash, path) => {
    if (!changed.has(path)) found.set(hash, path);
  });
  for (const [path, value] of changed) {
    const entry = value !== null && 'entry' in value ? value.entry : value;
    if (entry?.kind === 'file' && hashes.has(entry.hash)) found.set(entry.hash, path);
  }
  return found;
}
