import { findBootToken } from '../db/boot-tokens.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** A look is one row by its key. */
const LOOK_EVERY_MS = 1_000;

/** Whether a box that is being set up says of itself that it failed. */
export interface BootWatch {
  /** Aborted when it does. */
  failed: AbortSignal;
  /** Why, in words for the customer. */
  failure(): string | undefined;
  stop(): void;
}

/** Looks again and again, and not only when told: notices can be lost with their connection. */
export function watchBoot(deps: Pick<WorkerDeps, 'db' | 'log'>, boxId: string): BootWatch {
  const controller = new AbortController();
  let failure: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async (): Promise<void> => {
    try {
      failure = (await findBootToken(deps.db, boxId))?.failure ?? undefined;
    } catch (err) {
      deps.log.debug({ err, box_id: boxId }, "a box's own set-up could not be looked at");
    }
    if (stopped) return;
    if (failure === undefined) timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    else controller.abort(new Error('the box has reported that its set-up failed'));
  };
  void look();
  return {
    failed: controller.signal,
    failure: () => failure,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
