import { SpoqError } from '../../contract/errors.ts';
import { advanceRollout } from '../commands/advance-rollout.ts';
import { recordAudit } from '../commands/audit.ts';
import { isOperating } from '../db/box-operations.ts';
import { findRollout, findRunningPlace, updatePlace, type RolloutBoxRow } from '../db/rollouts.ts';
import { findBox, takeFence, type UserVpsRow } from '../db/user-vps.ts';
import { writeBox } from './progress.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

const GAVE_UP = 'Something broke on our side, and trying again did not help. The log has the cause.';

/** Reasons that say nothing of the release: such a box is left as it is, and stops nobody. */
const PASSED_OVER: ReadonlySet<string> = new Set(['box_unreachable', 'stack_busy', 'stack_missing']);

/**
 * Brings one box to the release of the rollout that it has a place in, and lets the rollout go on. The place, the box's row, the
 * next wave's jobs and the end of this job commit together. What is thrown hands the job to another attempt.
 */
export async function runConvergeJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const place = await findRunningPlace(deps.db, attempt.boxId);
  if (place === undefined) return;
  const rollout = await findRollout(deps.db, place.rollout_id);
  if (rollout?.state !== 'running') return settle(deps, attempt, place, { state: 'waiting' });
  const found = await findBox(deps.db, attempt.boxId);
  if (found !== undefined && isOperating(found))
    return settle(deps, attempt, place, { state: 'passed_over', reason: `A ${found.operation} of it is going on.` });
  const box = await takeFence(deps.db, attempt.boxId, ['ready'], 'ready');
  if (box === undefined) {
    const present = await findBox(deps.db, attempt.boxId);
    return settle(deps, attempt, place, { state: 'passed_over', reason: `It is ${present?.status ?? 'gone'}.` });
  }
  const { version } = rollout;
  const log = deps.log.child({ box_id: box.id, rollout_id: rollout.id, version });
  try {
    const spec = deps.buildSpec(box, { version });
    if (spec.releases.version !== version)
      throw new SpoqError('not_found', { detail: `The release ${version} is not kept any more.` });
    const onEvent = ({ state, message }: { state: string; message: string }): void =>
      log.info({ state, message }, 'upgrade');
    await deps.engine.converge(spec, { signal: attempt.signal, takeOver: true, onEvent });
  } catch (error) {
    if (attempt.signal.aborted || !(error instanceof SpoqError) || error.code === 'cancelled') throw error;
    const state = PASSED_OVER.has(error.code) ? 'passed_over' : 'failed';
    log.error({ err: error }, 'a box was not upgraded');
    return settle(deps, attempt, place, { state, reason: error.detail ?? `${error.title}.` }, box);
  }
  await settle(deps, attempt, place, { state: 'done', version }, box);
}

/** The last resort, when no attempt has come to an end. What is on the box then nobody knows: it counts as a failure. */
export async function runConvergeDeadJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const place = await findRunningPlace(deps.db, attempt.boxId);
  if (place !== undefined) await settle(deps, attempt, place, { state: 'failed', reason: GAVE_UP });
}

type Outcome =
  | { state: 'done'; version: string; reason?: undefined }
  | { state: 'failed' | 'passed_over'; reason: string }
  | { state: 'waiting'; reason?: undefined };

async function settle(
  deps: WorkerDeps,
  attempt: Attempt,
  place: RolloutBoxRow,
  outcome: Outcome,
  box?: UserVpsRow,
): Promise<void> {
  const now = deps.now();
  await deps.db.transaction(async (tx) => {
    if (box !== undefined && outcome.state === 'done')
      await writeBox(tx, box, { release_version: outcome.version, released_at: now });
    const { state, reason = null } = outcome;
    const times = state === 'waiting' ? { started_at: null } : { ended_at: now };
    await updatePlace(tx, place, { state, reason, ...times });
    await advanceRollout(tx, deps, place.rollout_id);
    await attempt.settle(tx);
    if (state !== 'done' && state !== 'failed') return;
    const action = state === 'done' ? 'box.upgraded' : 'box.upgrade_failed';
    const detail = { box_id: place.user_vps_id, rollout_id: place.rollout_id, reason };
    await recordAudit(tx, { at: now, actor: 'system', user_id: box?.user_id ?? null, action, detail });
  });
}
