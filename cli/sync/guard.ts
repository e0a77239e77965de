import { SpoqError } from '../../contract/errors.ts';
import type { Entry } from '../../contract/workspaces.ts';
import type { Tree } from '../../sync/entry.ts';
import type { Merge } from '../../sync/merge.ts';

/** Fewer files than these may all be deleted without a question, unless nothing is left. */
const FEW_FILES = 10;

/**
 * A disk that isn't mounted looks like a folder in which everything was deleted. So nothing is done where more than half of the files
 * would go, or all of them. Throws `sync_refused`, which says how to go on. What was renamed isn't gone.
 */
export function guardDeletes({ mine, theirs }: Merge, base: Tree, here: Tree, box: Tree): void {
  for (const [steps, source, place, back] of [
    [theirs, here, 'here', 'pull'],
    [mine, box, 'on the box', 'push'],
  ] as const) {
    const removed = steps.flatMap(({ want, expect }) => (want === null && expect !== null ? [expect] : []));
    const gone = keepGone(removed, source, (entry) => entry).length;
    if (!isMost(gone, base, source)) continue;
    throw new SpoqError('sync_refused', {
      detail: `${gone} of ${countFiles(base)} files are gone ${place}. Nothing was changed.`,
      next: `To delete them on the other side as well: spoq sync --delete. To bring them back: spoq sync ${back}.`,
    });
  }
}

/** The paths of `base` that are gone in `source`, where they are so many that a sync both ways would stop: one from the other side brings them back. */
export function listLost(base: Tree, source: Tree, excludes: (path: string) => boolean): string[] {
  const missing = [...base].filter(([path]) => !source.has(path) && !excludes(path));
  const lost = keepGone(missing, source, ([, entry]) => entry);
  return isMost(lost.length, base, source) ? lost.map(([path]) => path) : [];
}

function isMost(gone: number, base: Tree, source: Tree): boolean {
  if (gone === 0) return false;
  if (countFiles(source) === 0) return true;
  const count = countFiles(base);
  return count >= FEW_FILES && gone * 2 > count;
}

function countFiles(tree: Tree): number {
  let count = 0;
  for (const [, { kind }] of tree) if (kind !== 'folder') count++;
  return count;
}

/** Of what `source` has no more: what isn't a folder, and whose content isn't there under another name. */
function keepGone<T>(missing: T[], source: Tree, toEntry: (one: T) => Entry): T[] {
  const files = missing.filter((one) => toEntry(one).kind !== 'folder');
  if (files.length === 0) return [];
  const contents = new Set<string>();
  for (const [, entry] of source) if (entry.kind === 'file') contents.add(entry.hash);
  return files.filter((one) => {
    const entry = toEntry(one);
    return entry.kind !== 'file' || entry.size === 0 || !contents.has(entry.hash);
  });
}
