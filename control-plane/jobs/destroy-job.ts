import { deleteBootToken } from '../db/boot-tokens.ts';
import { listProviders } from '../db/moves.ts';
import { takeFence, toStackName, findBox } from '../db/user-vps.ts';
import { notifyBox } from '../db/vps-events.ts';
import { releaseMachines } from './machine-records.ts';
import { writeBox } from './progress.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/** Takes a box down for good: DNS away, disk wiped, renewal ended; then its row is history. Takes over from whatever runs on it. */
export async function runDestroyJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const present = await findBox(deps.db, attempt.boxId);
  if (present === undefined || present.status === 'terminated') return;
  const box = await takeFence(deps.db, present.id, [present.status], present.status);
  // It has just become something else: the next attempt looks again.
  if (box === undefined) throw new Error(`box ${present.id} has changed while its lease was taken`);
  const given = await deps.engine.destroy(toStackName(box.id), listProviders(box), {
    signal: attempt.signal,
    takeOver: true,
  });
  await deps.db.transaction(async (tx) => {
    await writeBox(tx, box, { status: 'terminated', terminated_at: deps.now() });
    await releaseMachines(tx, box, given, deps.now());
    await deleteBootToken(tx, box.id);
    await notifyBox(tx, box.id);
    await attempt.settle(tx);
  });
}
