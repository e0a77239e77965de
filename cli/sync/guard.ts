import { SpoqError } from '../../contract/errors.ts';
import type { Entry, Step } from '../../contract/workspaces.ts';
import type { Merge } from '../../sync/merge.ts';
import { indexContents } from './transfer.ts';

/** Fewer files than these may all be deleted without a question, unless nothing is left. */
const FEW_FILES = 10;

type Tree = ReadonlyMap<string, Entry>;

/**
 * A disk that isn't mounted looks like a folder in which everything was deleted. So nothing is done where more than half of the files
 * would go, or all of them. Throws `sync_refused`, which says how to go on. What was renamed isn't gone.
 */
export function guardDeletes({ mine, theirs }: Merge, base: Tree, here: Tree, box: Tree): void {
  if (![...mine, ...theirs].some(({ want }) => want === null)) return;
  const count = countFiles(base);
  for (const [steps, source, place, back] of [
    [theirs, here, 'here', 'pull'],
    [mine, box, 'on the box', 'push'],
  ] as const) {
    const gone = countGone(steps, source);
    const isEmptied = gone > 0 && countFiles(source) === 0;
    if (!isEmptied && (count < FEW_FILES || gone * 2 <= count)) continue;
    throw new SpoqError('sync_refused', {
      detail: `${gone} of ${count} files are gone ${place}. Nothing was changed.`,
      next: `To delete them on the other side as well: spoq sync --delete. To bring them back: spoq sync ${back}.`,
    });
  }
}

function countFiles(tree: Tree): number {
  let count = 0;
  for (const { kind } of tree.values()) if (kind !== 'folder') count++;
  return count;
}

/** Files that were deleted in `source`, and whose content isn't there under another name. */
function countGone(steps: readonly Step[], source: Tree): number {
  const removed = steps.filter(({ want, expect }) => want === null && expect !== null && expect.kind !== 'folder');
  if (removed.length === 0) return 0;
  const contents = indexContents(source);
  return removed.filter(({ expect }) => expect?.kind !== 'file' || expect.size === 0 || !contents.has(expect.hash))
    .length;
}
