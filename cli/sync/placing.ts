import { randomUUID } from 'node:crypto';
import type { Entry, Step } from '../../contract/workspaces.ts';
import { ancestorsOf } from '../../sync/entry.ts';
import type { BoxWorkspace } from './box-workspace.ts';

/** What a box has put in place before the comparison, and the name of the state that both sides agree on by that. */
export interface Placed {
  steps: Step[];
  base: string;
}

/** Has files put in place, on a box that has nothing yet, while the others are still read. */
export interface Placing {
  /** A file that was read; its content is on its way. `look` tells what is at a path here. */
  expect(path: string, entry: Entry & { kind: 'file' }, look: (path: string) => Entry | undefined): void;
  /** A content is on the box. */
  arrived(hash: string): void;
  /** What is known to be placed by now; undefined when nothing is. */
  placed(): Placed | undefined;
  /** Until what is under way is done; the rest is left to others. */
  end(): Promise<void>;
}

/** Somebody has to be able to write into a folder as long as files come into it. */
const OWN_WRITE = 0o300;

export function startPlacing(box: Pick<BoxWorkspace, 'apply'>, folder: string): Placing {
  /** Files whose content hasn't arrived, by hash, each behind the folders above it. */
  const coming = new Map<string, Step[]>();
  const named = new Set<string>();
  const done: Step[] = [];
  /** What is to be placed by the next request: as much as has come while the last one was under way. */
  let ready: Step[] = [];
  let base: string | null = null;
  let underWay: Promise<void> | undefined;
  let hasEnded = false;

  const place = async (): Promise<void> => {
    while (ready.length > 0) {
      if (hasEnded) return;
      const [steps, next] = [ready, randomUUID()];
      ready = [];
      const request = { folder, base, next_base: next, steps, agreed: [], contents: [], more: true };
      const { refused } = await box.apply(request, []);
      base = next;
      const failed = new Set(refused.map(({ path }) => path));
      // What was refused is found by the comparison: it tries again, and tells why.
      done.push(...steps.filter(({ path }) => !failed.has(path)));
    }
  };
  return {
    expect(path, entry, look) {
      const folders = [...ancestorsOf(path)].toReversed().map((above) => [above, look(above)] as const);
      if (folders.some(([, found]) => found?.kind !== 'folder' || (found.mode & OWN_WRITE) !== OWN_WRITE)) return;
      const steps = [...folders, [path, entry] as const];
      coming.set(
        entry.hash,
        steps.map(([at, want = null]) => ({ path: at, want, expect: null, agree: true })),
      );
    },
    arrived(hash) {
      for (const step of coming.get(hash) ?? []) {
        if (named.has(step.path)) continue;
        named.add(step.path);
        ready.push(step);
      }
      coming.delete(hash);
      if (ready.length === 0 || underWay !== undefined) return;
      underWay = place();
      underWay.then(
        () => {
          underWay = undefined;
        },
        () => undefined, // It stays: nothing more is placed, and whoever waits for the end hears of it.
      );
    },
    async end() {
      hasEnded = true;
      await underWay;
    },
    placed: () => (base === null ? undefined : { steps: done, base }),
  };
}
