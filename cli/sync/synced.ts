import type { LeftOut, Refusal, Step } from '../../contract/workspaces.ts';
import type { MergeNote } from '../../sync/merge.ts';

export type Phase =
  | { type: 'compare' }
  | { type: 'send' | 'fetch'; files: number; bytes: number; done: number }
  | { type: 'apply'; where: 'here' | 'box'; steps: number };

export interface Synced {
  /** What was done, or with `dryRun` would be. */
  here: Step[];
  box: Step[];
  sent_bytes: number;
  fetched_bytes: number;
  notes: MergeNote[];
  refused: (Refusal & { where: 'here' | 'box' })[];
  left_out: (LeftOut & { where: 'here' | 'box' })[];
}

/** Nothing to be done; what is left out on both sides is named once. */
export function describeSame(here: readonly LeftOut[], box: readonly LeftOut[]): Synced {
  const known = new Set(here.map(({ path }) => path));
  return {
    here: [],
    box: [],
    sent_bytes: 0,
    fetched_bytes: 0,
    notes: [],
    refused: [],
    left_out: [
      ...here.map((one) => ({ ...one, where: 'here' as const })),
      ...box.filter(({ path }) => !known.has(path)).map((one) => ({ ...one, where: 'box' as const })),
    ],
  };
}
