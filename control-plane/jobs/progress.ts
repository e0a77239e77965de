import type { StepName } from '../../contract/vps.ts';
import { lockFence, updateBox, type UserVpsRow } from '../db/user-vps.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import type { EngineEvent } from '../engine/engine.ts';
import { LeaseLostError, type WorkerDeps } from './worker-deps.ts';

/** Writes a run's progress to the database, in order and only as long as the run holds the lease. */
export interface Progress {
  /** Takes an event; it is written in the background. */
  tell(event: EngineEvent): void;
  /** Waits until everything told is written. @throws LeaseLostError when another run has taken over */
  flush(): Promise<void>;
  /** The step that is being worked on. */
  step(): StepName;
}

/** @param onLost is called once when a write shows that another run has taken over */
export function createProgress(
  deps: Pick<WorkerDeps, 'db' | 'now'>,
  box: UserVpsRow,
  onLost: (error: Error) => void,
): Progress {
  let step: StepName = 'queued';
  let failure: unknown;
  let writes = Promise.resolve();
  const write = async (event: EngineEvent, at: Date) => {
    if (failure !== undefined) return;
    try {
      await deps.db.transaction(async (tx) => {
        await holdLease(tx, box);
        await appendVpsEvent(tx, box.id, { ...event, at });
      });
    } catch (error) {
      failure = error;
      if (error instanceof LeaseLostError) onLost(error);
    }
  };
  return {
    tell(event) {
      step = event.step;
      const at = deps.now();
      writes = writes.then(() => write(event, at));
    },
    async flush() {
      await writes;
      if (failure !== undefined) throw failure;
    },
    step: () => step,
  };
}

/** Locks a box's row for this run. @throws LeaseLostError when another run has taken over */
export async function holdLease(tx: WorkerDeps['db'], box: Pick<UserVpsRow, 'id' | 'fence'>): Promise<void> {
  if (!(await lockFence(tx, box.id, box.fence))) throw new LeaseLostError(box.id);
}

/** Writes columns of a box in this run's name. @throws LeaseLostError when another run has taken over */
export async function writeBox(
  tx: WorkerDeps['db'],
  box: Pick<UserVpsRow, 'id' | 'fence'>,
  change: Partial<UserVpsRow>,
): Promise<void> {
  await holdLease(tx, box);
  await updateBox(tx, box.id, change);
}
