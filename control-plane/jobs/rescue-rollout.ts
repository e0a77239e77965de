import { advanceRollout } from '../commands/advance-rollout.ts';
import { findLastRollout, listRolloutBoxes } from '../db/rollouts.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from './queues.ts';
import { hasJob } from './rescue-boxes.ts';

/** Gives a job to every box of the last rollout that is being upgraded and has none, so that no rollout waits for ever. */
export async function rescueRollout(deps: Pick<Deps, 'db' | 'boss' | 'log' | 'now'>): Promise<void> {
  const rollout = await findLastRollout(deps.db);
  if (rollout === undefined) return;
  for (const box of await listRolloutBoxes(deps.db, rollout.id)) {
    if (box.state !== 'running') continue;
    if (await hasJob(deps, box.user_vps_id, [QUEUES.converge, QUEUES.convergeDead])) continue;
    deps.log.error(
      { box_id: box.user_vps_id, rollout_id: rollout.id },
      'an upgrade that no job works on is taken up again',
    );
    const { user_vps_id: id, user_id } = box;
    await deps.db.transaction((tx) => sendBoxJob(deps.boss, tx, QUEUES.converge, { id, user_id }));
  }
  await deps.db.transaction((tx) => advanceRollout(tx, deps, rollout.id));
}
