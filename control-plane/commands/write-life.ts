import { fromKnex } from 'pg-boss';
import type { SubscriptionFacts } from '../billing/fold-subscription.ts';
import { expireLife, nextLife } from '../billing/life.ts';
import type { Db } from '../db/connect.ts';
import { hasSettlement } from '../db/settlements.ts';
import {
  updateSubscription,
  upsertSubscription,
  type SubscriptionChange,
  type SubscriptionRow,
} from '../db/subscriptions.ts';
import { hasHadBox } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, type SteerJob } from '../jobs/queues.ts';
import type { Message } from '../mail/message.ts';
import {
  endScheduled,
  endTakenBack,
  paidAgain,
  paymentDisputed,
  paymentFailed,
  subscriptionEnded,
} from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { queueMail } from './queue-mail.ts';
import { decideSettlement } from './settle.ts';

type LifeDeps = Pick<Deps, 'boss' | 'now' | 'log' | 'config'>;

/**
 * Writes down what Stripe says of a person's subscription, and all that follows: the state, the dates of the grace period, a line in
 * the audit log, a mail, and the job that does to the box what the state says. Lock `user-subscription:<id>` first.
 */
export async function writeLife(
  deps: LifeDeps,
  tx: Db,
  userId: string,
  present: SubscriptionRow | undefined,
  facts: SubscriptionFacts,
): Promise<void> {
  const now = deps.now();
  const life = nextLife(present, facts, { now, suspendAfterDays: deps.config.SUSPEND_AFTER_DAYS });
  const isDisputed = life.status === 'cancelled' && (await hasSettlement(tx, facts.stripe_subscription_id, 'disputed'));
  // Whoever's bank takes the money back has no days left in which the box runs on.
  if (isDisputed && present?.status !== 'cancelled') life.suspends_at = now;
  const { started_at: startedAt, ...columns } = facts;
  const change: SubscriptionChange = { ...columns, ...life };
  await upsertSubscription(tx, userId, change, now);
  if (life.status === 'cancelled' && present?.status !== 'cancelled' && !(await hasHadBox(tx, userId, startedAt)))
    await decideSettlement(deps, tx, { subscriptionId: facts.stripe_subscription_id, userId, reason: 'no_box' });
  const mail = chooseMail({ baseUrl: deps.config.BASE_URL, now, isDisputed }, present, change);
  if (mail !== undefined)
    await queueMail(deps, tx, {
      ...mail,
      to: { userId },
      key: `${mail.kind}:${facts.stripe_subscription_id}:${now.toISOString()}`,
    });
  await sendSteerJob(deps, tx, userId);
  if (present?.status === life.status && present.plan === facts.plan) return;
  await recordAudit(tx, {
    at: now,
    actor: 'system',
    user_id: userId,
    action: `subscription.${life.status}`,
    detail: { subscription_id: facts.stripe_subscription_id, from: present?.status ?? null, plan: facts.plan },
  });
}

/** A subscription counts no more, and the box goes: its grace period is over, or its owner deletes the account. */
export async function expireSubscription(
  deps: Pick<Deps, 'boss' | 'now'>,
  tx: Db,
  row: SubscriptionRow,
): Promise<void> {
  const { user_id: userId, stripe_subscription_id: id, status: from, plan } = row;
  await updateSubscription(tx, userId, expireLife(), deps.now());
  await sendSteerJob(deps, tx, userId);
  await recordAudit(tx, {
    at: deps.now(),
    actor: 'system',
    user_id: userId,
    action: 'subscription.expired',
    detail: { subscription_id: id, from, plan },
  });
}

/** Asks for a person's box to be made what their subscription says, with the rows of `tx`. */
export async function sendSteerJob(deps: Pick<Deps, 'boss'>, tx: Db, userId: string): Promise<void> {
  const job: SteerJob = { user_id: userId };
  await deps.boss.send(QUEUES.steer, job, { db: fromKnex(tx), group: { id: userId } });
}

/** What a person is told of a change; undefined when nothing that matters to them has changed. */
function chooseMail(
  { baseUrl, now, isDisputed }: { baseUrl: string; now: Date; isDisputed: boolean },
  present: SubscriptionRow | undefined,
  next: SubscriptionChange,
): { kind: string; message: Message } | undefined {
  const { status, suspends_at: suspendsAt, grace_ends_at: graceEndsAt, cancel_at: cancelAt } = next;
  const former = present?.status;
  const isSame = present?.stripe_subscription_id === next.stripe_subscription_id;
  if (suspendsAt !== null && graceEndsAt !== null && status !== former) {
    const grace = { baseUrl, suspendsAt, graceEndsAt };
    if (isDisputed) return { kind: 'payment_disputed', message: paymentDisputed(grace) };
    if (status === 'past_due') return { kind: 'payment_failed', message: paymentFailed(grace) };
    return { kind: 'subscription_ended', message: subscriptionEnded(grace) };
  }
  if (status === 'active' && (former === 'past_due' || former === 'cancelled')) {
    const wasStopped = present?.suspends_at != null && present.suspends_at <= now;
    return { kind: 'paid_again', message: paidAgain({ baseUrl, wasStopped }) };
  }
  if (status !== 'active' || former !== 'active' || !isSame) return undefined;
  if (cancelAt !== null && present?.cancel_at === null)
    return { kind: 'end_scheduled', message: endScheduled({ baseUrl, cancelAt }) };
  if (cancelAt === null && present?.cancel_at !== null)
    return { kind: 'end_taken_back', message: endTakenBack({ baseUrl, renewsAt: next.expires_at }) };
  return undefined;
}
