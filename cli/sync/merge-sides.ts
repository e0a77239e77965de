import type { Change, Entry, ScanAnswer } from '../../contract/workspaces.ts';
import { listChanges, withChanges } from '../../sync/changes.ts';
import { isEmptyTree } from '../../sync/entry.ts';
import type { Tree } from '../../sync/entry.ts';
import type { Layered } from '../../sync/layered.ts';
import { mergeTrees } from '../../sync/merge.ts';
import type { Holds, Merge } from '../../sync/merge.ts';
import type { Scan } from '../../sync/scan.ts';
import { forgetBase } from '../../sync/tree-state.ts';
import type { TreeState } from '../../sync/tree-state.ts';
import { guardDeletes, listLost } from './guard.ts';
import type { SyncOptions } from './sync-folder.ts';

/** Linux keeps every name apart. */
const BOX_HOLDS: Holds = { case: true, unicode: true };

/** Compares, and stops where much would be deleted. */
export function mergeSides(
  state: TreeState,
  scan: Scan,
  answer: ScanAnswer,
  options: SyncOptions,
): { merge: Merge; theirs: Layered<Entry> } {
  const { direction } = options;
  if (!answer.base_known) forgetBase(state);
  // Who is asked to push to a folder that is gone wants it back; likewise the other way round.
  const restores =
    (direction === 'push' && answer.vanished) ||
    (direction === 'pull' && isEmptyTree(scan.manifest) && state.base.size > 0);
  const theirs = answer.changes.length === 0 ? state.base : withChanges(state.base, answer.changes);
  const away = new Set(answer.left_out.map(({ path }) => path));
  const bringsBack = direction !== 'both' && !options.deleteMany;
  const target =
    direction === 'pull'
      ? { source: scan.manifest, excludes: scan.excludes }
      : { source: theirs, excludes: (path: string) => away.has(path) };
  const lost = bringsBack ? listLost(state.base, target.source, target.excludes) : [];
  // What neither had before, and one has now, comes to the other.
  const known =
    lost.length === 0
      ? state.base
      : withChanges(
          state.base,
          lost.map((path): Change => [path, null]),
        );
  const base: Tree = restores ? new Map<string, Entry>() : known;
  const changes = restores ? [...scan.manifest, ...theirs] : [...listChanges(known, scan), ...answer.changes];
  const merge = mergeTrees({
    base,
    mine: { manifest: scan.manifest, excludes: scan.excludes, holds: options.holds },
    theirs: { manifest: theirs, excludes: (path) => away.has(path), holds: BOX_HOLDS },
    changed: [...changes.map(([path]) => path), ...lost],
    direction,
    labels: { here: options.hostname, box: options.boxName, time: formatTime(options.now) },
  });
  if (!options.deleteMany) guardDeletes(merge, state.base, scan.manifest, theirs);
  return { merge, theirs };
}

/** 20260102-030405, in UTC. */
function formatTime(now: number): string {
  return new Date(now)
    .toISOString()
    .replaceAll(/[-:]|\..*$/g, '')
    .replace('T', '-');
}
