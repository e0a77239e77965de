import type { Change } from '../workplace/workplace.ts';

/** How much it is, as `git diff --shortstat` counts. */
export function sumChanges(changes: Change[]): { files: number; added_lines: number; removed_lines: number } {
  const sum = (pick: (change: Change) => number | null): number =>
    changes.reduce((total, change) => total + (pick(change) ?? 0), 0);
  return {
    files: changes.length,
    added_lines: sum(({ added_lines }) => added_lines),
    removed_lines: sum(({ removed_lines }) => removed_lines),
  };
}
