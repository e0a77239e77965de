import { recordAudit } from '../commands/audit.ts';
import { sendIfLeaving } from '../commands/leaving.ts';
import { queueMail } from '../commands/queue-mail.ts';
import { isMachineOf } from '../engine/engine.ts';
import { boxDeleted } from '../mail/messages.ts';
import { deleteBootToken } from '../db/boot-tokens.ts';
import { listProviders } from '../db/moves.ts';
import { takeFence, toStackName, findBox, type UserVpsRow } from '../db/user-vps.ts';
import { notifyBox } from '../db/vps-events.ts';
import { releaseMachines } from './machine-records.ts';
import { writeBox } from './progress.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/**
 * Takes a box down for good: DNS away, disk wiped, renewal ended; then its row is history. Takes over from whatever runs on it. That
 * nothing of it is left is what the vendors' own lists must say, and what the audit log keeps.
 */
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
  const proof = await proveGone(deps, box, attempt.signal);
  const now = deps.now();
  await deps.db.transaction(async (tx) => {
    await writeBox(tx, box, { status: 'terminated', terminated_at: now, suspended_at: null });
    await releaseMachines(tx, box, given, now);
    await deleteBootToken(tx, box.id);
    await notifyBox(tx, box.id);
    const isLeaving = await sendIfLeaving(deps, tx, box.user_id);
    // Of the end of an account one mail tells, when all of it is done.
    if (box.ready_at !== null && !isLeaving)
      await queueMail(deps, tx, {
        to: { userId: box.user_id },
        kind: 'box_deleted',
        key: `box_deleted:${box.id}`,
        message: boxDeleted({ baseUrl: deps.config.BASE_URL, hostname: box.hostname }),
      });
    await attempt.settle(tx);
    await recordAudit(tx, {
      at: now,
      actor: 'system',
      user_id: box.user_id,
      action: 'box.deleted',
      detail: { box_id: box.id, hostname: box.hostname, machines: given.length, ...proof },
    });
  });
}

/**
 * Reads the vendors' lists: no machine may carry the box's name any more.
 * @throws Error while one does; the next attempt gives it up
 */
async function proveGone(
  deps: WorkerDeps,
  box: UserVpsRow,
  signal: AbortSignal,
): Promise<Record<string, string | number>> {
  const proof: Record<string, string | number> = {};
  for (const provider of listProviders(box)) {
    const machines = await deps.engine.inventory(provider, { signal });
    const left = machines.filter(({ name }) => isMachineOf(toStackName(box.id), name));
    if (left.length > 0) throw new Error(`${provider} still lists ${left.length} machines of box ${box.id}`);
    proof[`listed_by_${provider}`] = left.length;
  }
  return proof;
}
