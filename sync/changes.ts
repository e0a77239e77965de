import type { Change, Entry } from '../contract/workspaces.ts';
import { sameEntry } from './entry.ts';
import type { Scan } from './scan.ts';
import type { TreeState } from './tree-state.ts';

/** What a side has that the base has not, and the reverse. What takes no part has not changed. */
export function listChanges(base: ReadonlyMap<string, Entry>, scan: Pick<Scan, 'manifest' | 'excludes'>): Change[] {
  const changes: Change[] = [];
  let common = 0;
  for (const [path, entry] of scan.manifest) {
    const before = base.get(path);
    if (before !== undefined) common++;
    if (!sameEntry(entry, before)) changes.push([path, entry]);
  }
  if (common === base.size) return changes;
  for (const path of base.keys()) if (!scan.manifest.has(path) && !scan.excludes(path)) changes.push([path, null]);
  return changes;
}

/** A tree with these changes in it. */
export function withChanges(base: ReadonlyMap<string, Entry>, changes: Iterable<Change>): Map<string, Entry> {
  const tree = new Map(base);
  for (const [path, entry] of changes)
    if (entry === null) tree.delete(path);
    else tree.set(path, entry);
  return tree;
}

/** The changes that lead back from `base` with `changes` in it to `base`. */
export function reverseChanges(base: ReadonlyMap<string, Entry>, changes: Iterable<Change>): Change[] {
  return [...changes].map(([path]) => [path, base.get(path) ?? null]);
}

/** The state of that name: the present one, or the one before, where the answer about the present one was lost. */
export function findBase(state: TreeState, id: string | null): Map<string, Entry> | undefined {
  if (id === state.base_id) return state.base;
  if (state.previous !== undefined && id === state.previous.id) return withChanges(state.base, state.previous.changes);
  return undefined;
}

/** Makes `changes` part of what both sides have, in place; the state before can still be asked for. */
export function agreeOn(state: TreeState, base: Map<string, Entry>, id: string, changes: Change[]): void {
  state.previous = { id: state.base_id, changes: reverseChanges(base, changes) };
  for (const [path, entry] of changes)
    if (entry === null) base.delete(path);
    else base.set(path, entry);
  state.base = base;
  state.base_id = id;
}
