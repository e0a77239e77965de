import { SpoqError } from '../../contract/errors.ts';
import { endRollout, findLastRollout, lockRollout, type RolloutRow } from '../db/rollouts.ts';
import type { Deps } from '../deps.ts';
import { recordAudit } from './audit.ts';

/**
 * Stops the rollout that is running: boxes that are at work finish, no other begins.
 * @throws SpoqError `conflict` when none is running
 */
export async function stopRollout(deps: Pick<Deps, 'db' | 'now'>): Promise<RolloutRow> {
  return deps.db.transaction(async (tx) => {
    const last = await findLastRollout(tx);
    const rollout = last && (await lockRollout(tx, last.id));
    if (rollout?.state !== 'running')
      throw new SpoqError('conflict', { detail: 'No rollout is running.', next: 'There is nothing to stop.' });
    const at = deps.now();
    await endRollout(tx, rollout.id, 'stopped', at);
    const detail = { rollout_id: rollout.id, version: rollout.version };
    await recordAudit(tx, { at, actor: 'operator', action: 'rollout.stopped', detail });
    return { ...rollout, state: 'stopped', ended_at: at };
  });
}
