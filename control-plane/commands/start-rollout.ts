import { SpoqError } from '../../contract/errors.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import {
  countOthers,
  countRunningPlaces,
  findLastRollout,
  insertRollout,
  listBoxesWithout,
  type RolloutRow,
} from '../db/rollouts.ts';
import type { Deps } from '../deps.ts';
import { advanceRollout } from './advance-rollout.ts';
import { recordAudit } from './audit.ts';
import { planWaves } from './plan-waves.ts';

export interface RolloutRequest {
  version: string;
  /** See planWaves. */
  sizes: readonly string[];
  maxFailures: number;
}

/** What a rollout would do. */
export interface RolloutPlan {
  version: string;
  max_failures: number;
  /** How many boxes each wave has. */
  waves: number[];
  /** Boxes that have this release already. */
  upgraded: number;
  /** Boxes that are being made or have failed: those get the newest release when they are made. */
  not_ready: number;
}

/**
 * Looks at what a rollout would do; changes nothing.
 * @throws SpoqError `conflict` while another is at work, or where boxes can't be changed; `invalid_request` for sizes that are none
 */
export async function planRollout(deps: Pick<Deps, 'db' | 'config'>, request: RolloutRequest): Promise<RolloutPlan> {
  return (await plan(deps.db, deps.config, request)).plan;
}

/**
 * Begins a rollout: its places, the first wave's jobs and the audit in one transaction. Without a box to upgrade it ends at once.
 * @throws SpoqError as planRollout
 */
export async function startRollout(
  deps: Pick<Deps, 'db' | 'config' | 'boss' | 'now'>,
  request: RolloutRequest,
): Promise<RolloutRow> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, 'rollouts');
    const { plan: planned, boxes } = await plan(tx, deps.config, request);
    const places = planned.waves.flatMap((size, index) => Array.from({ length: size }, () => index + 1));
    const rollout = await insertRollout(
      tx,
      { version: request.version, max_failures: request.maxFailures, created_at: deps.now() },
      boxes.map(({ id }, index) => ({ user_vps_id: id, wave: places[index] ?? 1, position: index + 1 })),
    );
    await advanceRollout(tx, deps, rollout.id);
    const { version, max_failures } = rollout;
    const detail = { rollout_id: rollout.id, version, max_failures, boxes: boxes.length, waves: planned.waves.join() };
    await recordAudit(tx, { at: deps.now(), actor: 'operator', action: 'rollout.started', detail });
    return rollout;
  });
}

async function plan(db: Db, config: Deps['config'], { version, sizes, maxFailures }: RolloutRequest) {
  if (config.BOX_CONVERGE === 'none')
    throw new SpoqError('conflict', {
      detail: 'These boxes have no SSH server to change them by (BOX_CONVERGE is none).',
      next: 'New boxes get the newest release by themselves.',
    });
  const last = await findLastRollout(db);
  if (last?.state === 'running')
    throw new SpoqError('conflict', {
      detail: `The rollout of ${last.version} is going on.`,
      next: 'Wait for its end, or stop it with `npm run operator -- rollout stop`.',
    });
  const running = await countRunningPlaces(db);
  if (running > 0)
    throw new SpoqError('conflict', {
      detail: `The last rollout is stopped, but ${running} of its boxes are still at work.`,
      next: 'Wait until `npm run operator -- rollout status` shows none running.',
    });
  const boxes = await listBoxesWithout(db, version);
  const waves = planWaves(sizes, boxes.length);
  return { boxes, plan: { version, max_failures: maxFailures, waves, ...(await countOthers(db, version)) } };
}
