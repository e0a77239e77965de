import { SpoqError } from '../../contract/errors.ts';
import { decideFate } from '../billing/life.ts';
import { isOperating } from '../db/box-operations.ts';
import type { Db } from '../db/connect.ts';
import { findSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import { findBoxOfUser, updateBox, type UserVpsRow } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { beginOperation } from './begin-operation.ts';
import { takePlanBack } from './change-plan.ts';

type SteerDeps = Pick<Deps, 'db' | 'boss' | 'now' | 'log' | 'config' | 'stripe'>;

/** What failed by itself is tried again no sooner than this. */
const AGAIN_MS = 10 * 60_000;

/** What has to be done to a box so that it is what its owner's subscription says. */
export type Steering = 'delete' | 'suspend' | 'resume' | 'resize' | 'take_plan_back';

/** Undefined when it is as it should be, or can't be changed yet. */
export function decideSteering(
  subscription: SubscriptionRow,
  box: UserVpsRow,
  { now, failedAt, canResize }: { now: Date; failedAt: Date | undefined; canResize: boolean },
): Steering | undefined {
  const fate = decideFate(subscription, now);
  if (fate === 'delete') return 'delete';
  if (box.status !== 'ready' || isOperating(box)) return undefined;
  const resizeFailed = box.operation_failure !== null && box.resize_number === box.operation_number;
  const isPlanOther = subscription.plan !== box.plan && subscription.status === 'active' && box.move === null;
  if (isPlanOther && resizeFailed && box.suspended_at === null) return 'take_plan_back';
  if (failedAt !== undefined && now.getTime() - failedAt.getTime() < AGAIN_MS) return undefined;
  if (fate === 'stop') return box.suspended_at === null ? 'suspend' : undefined;
  if (box.suspended_at !== null) return 'resume';
  return isPlanOther && canResize ? 'resize' : undefined;
}

/**
 * Makes a person's box what their subscription says: switched off, switched on again, of another size, or deleted. Safe to repeat at
 * any time; what can't be done now is done by a later call (each change of the subscription asks for one, and so does each minute).
 */
export async function steerBox(deps: SteerDeps, userId: string): Promise<Steering | undefined> {
  const subscription = await findSubscription(deps.db, userId);
  const box = await findBoxOfUser(deps.db, userId);
  if (box === undefined || subscription === undefined) return undefined;
  const failedAt = box.operation_failure === null ? undefined : (await listVpsEvents(deps.db, box.id)).at(-1)?.at;
  const canResize = deps.config.BOX_CONVERGE === 'ssh';
  const steering = decideSteering(subscription, box, { now: deps.now(), failedAt, canResize });
  if (steering === undefined) return undefined;
  deps.log.info({ user_id: userId, box_id: box.id, subscription: subscription.status, steering }, 'a box is steered');
  if (steering === 'delete') await deps.db.transaction((tx) => sendBoxJob(deps.boss, tx, QUEUES.destroy, box));
  else if (steering === 'take_plan_back') await takePlanBack(deps, subscription, box);
  else await begin(deps, box, steering, subscription);
  return steering;
}

async function begin(
  deps: SteerDeps,
  box: UserVpsRow,
  steering: 'suspend' | 'resume' | 'resize',
  { plan }: SubscriptionRow,
): Promise<void> {
  const { provider, region } = box;
  const request = { actor: 'system', ip: null };
  try {
    if (steering !== 'resize') await beginOperation(deps, box, { ...request, operation: steering });
    else {
      const begun = await beginOperation(deps, box, {
        ...request,
        operation: 'move',
        move: { provider, region, plan },
      });
      await noteResize(deps.db, begun);
    }
  } catch (error) {
    // Something else was begun in between: the next call looks again.
    if (!(error instanceof SpoqError) || (error.code !== 'stack_busy' && error.code !== 'conflict')) throw error;
  }
}

async function noteResize(db: Db, { id, operation_number }: UserVpsRow): Promise<void> {
  await updateBox(db, id, { resize_number: operation_number });
}
