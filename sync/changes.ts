import type { Change, Entry, Step } from '../contract/workspaces.ts';
import { sameEntry } from './entry.ts';
import type { Tree } from './entry.ts';
import type { Layered } from './layered.ts';
import type { Scan } from './scan.ts';
import type { Rows, TreeState } from './tree-state.ts';

/** What a side has that the base has not, and the reverse. What takes no part has not changed. */
export function listChanges(
  base: Layered<Entry>,
  { rows, manifest, excludes }: Pick<Scan, 'rows' | 'manifest' | 'excludes'>,
): Change[] {
  const changes: Change[] = [];
  for (const path of listDiffering(rows, base, manifest.hollow)) {
    const [before, entry] = [base.get(path), manifest.get(path)];
    if (entry !== undefined && !sameEntry(entry, before)) changes.push([path, entry]);
    if (entry === undefined && before !== undefined && !excludes(path)) changes.push([path, null]);
  }
  return changes;
}

/** The only paths at which rows and a base may differ. Where both lie in the same columns they are few. */
export function listDiffering(rows: Rows, base: Layered<Entry>, more: Iterable<string> = []): Set<string> {
  if (rows.ground.columns === base.ground.columns)
    return new Set([...rows.changed.keys(), ...base.changed.keys(), ...more]);
  return new Set([...rows.keys(), ...base.keys()]);
}

/** A tree with these changes in it. */
export function withChanges(base: Layered<Entry>, changes: Iterable<Change>): Layered<Entry> {
  const tree = base.copy();
  change(tree, changes);
  return tree;
}

function change(tree: Layered<Entry>, changes: Iterable<Change>): void {
  for (const [path, entry] of changes)
    if (entry === null) tree.delete(path);
    else tree.set(path, entry);
}

/** The changes that lead back from `base` with `changes` in it to `base`. */
export function reverseChanges(base: Tree, changes: Iterable<Change>): Change[] {
  return [...changes].map(([path]) => [path, base.get(path) ?? null]);
}

/** The state of that name: the present one, or the one before, where the answer about the present one was lost. */
export function findBase(state: TreeState, id: string | null): Layered<Entry> | undefined {
  if (id === state.base_id) return state.base;
  if (state.previous !== undefined && id === state.previous.id) return withChanges(state.base, state.previous.changes);
  return undefined;
}

/** What both sides have once these steps are taken. */
export function toChanges(steps: readonly Step[]): Change[] {
  return steps.filter(({ agree }) => agree).map(({ path, want }) => [path, want]);
}

/** Makes `changes` part of what both sides have, in place; the state before can still be asked for. */
export function agreeOn(state: TreeState, base: Layered<Entry>, id: string, changes: Change[]): void {
  state.previous = { id: state.base_id, changes: reverseChanges(base, changes) };
  change(base, changes);
  state.base = base;
  state.base_id = id;
}
