import type { Db } from '../db/connect.ts';
import { endRollout, listRolloutBoxes, lockRollout, updatePlace, type RolloutState } from '../db/rollouts.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { recordAudit } from './audit.ts';

/**
 * Decides what comes next in a rollout, and writes it down with the jobs: nothing while a wave is being worked on, the end when too
 * many boxes have failed or none is left, otherwise the next wave. To be called in the transaction that changes a place of it.
 */
export async function advanceRollout(tx: Db, deps: Pick<Deps, 'boss' | 'now'>, id: string): Promise<void> {
  const rollout = await lockRollout(tx, id);
  if (rollout?.state !== 'running') return;
  const boxes = await listRolloutBoxes(tx, id);
  const failed = boxes.filter(({ state }) => state === 'failed').length;
  if (failed >= rollout.max_failures) return end('failed');
  if (boxes.some(({ state }) => state === 'running')) return;
  const waiting = boxes.filter(({ state }) => state === 'waiting');
  const [next] = waiting;
  if (next === undefined) return end('done');

  const begun = boxes.filter(({ state }) => state !== 'waiting');
  const wave = Math.max(0, ...begun.map((box) => box.wave));
  const members = begun.filter((box) => box.wave === wave);
  // A wave of which every box was passed over has shown nothing: as many others stand in for them.
  const isProved = members.length === 0 || members.some(({ state }) => state === 'done' || state === 'failed');
  const chosen = isProved
    ? waiting.filter((box) => box.wave === next.wave)
    : waiting.slice(0, members.length).map((box) => ({ ...box, wave }));
  for (const box of chosen) {
    await updatePlace(tx, box, { state: 'running', wave: box.wave, reason: null, started_at: deps.now() });
    await sendBoxJob(deps.boss, tx, QUEUES.converge, { id: box.user_vps_id, user_id: box.user_id });
  }

  async function end(state: RolloutState): Promise<void> {
    await endRollout(tx, id, state, deps.now());
    const detail = { rollout_id: id, version: rollout?.version ?? '', failed };
    await recordAudit(tx, { at: deps.now(), actor: 'system', action: `rollout.${state}`, detail });
  }
}
