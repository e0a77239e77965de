import type Stripe from 'stripe';
import { PLANS, type PlanName } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import { findBoxOfUser, updateBox, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { askStripe } from '../integrations/stripe-errors.ts';
import { planTakenBack } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { requireIdle } from './begin-operation.ts';
import { ensurePrices } from './ensure-prices.ts';
import { queueMail } from './queue-mail.ts';
import { syncSubscription } from './sync-subscription.ts';

type PlanDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/** What a change of plan costs, by Stripe's own calculation. Amounts are in the currency's smallest unit. */
export interface PlanPreview {
  from: PlanName;
  to: PlanName;
  currency: string;
  /** What is charged today; less than zero: what is credited to the next payments. */
  due_now: number;
  /** What was paid for the old plan and not used. */
  credit: number;
  /** What the new plan costs until the next renewal. */
  charge: number;
  /** A month of it. */
  monthly: number;
  renews_at: Date;
  /** The second that the calculation is about: the change is made at it, so that what is charged is what was shown. */
  proration_date: number;
}

/** A preview is good for so long. */
const PREVIEW_SECONDS = 900;

/**
 * What a change to another plan would cost now.
 * @throws SpoqError `conflict` when the plan can't be changed, `no_subscription`, `upstream_failed`
 */
export async function previewPlan(deps: PlanDeps, userId: string, to: PlanName): Promise<PlanPreview> {
  const { subscription, items } = await readChange(deps, userId, to);
  const at = Math.floor(deps.now().getTime() / 1000);
  const invoice = await askStripe('calculate the difference', () =>
    deps.stripe.invoices.createPreview({
      subscription: subscription.id,
      subscription_details: { items, proration_behavior: 'always_invoice', proration_date: at },
    }),
  );
  const lines = invoice.lines.data.filter(
    ({ parent }) => parent?.subscription_item_details?.proration ?? parent?.invoice_item_details?.proration,
  );
  const sum = (list: Stripe.InvoiceLineItem[]) => list.reduce((total, line) => total + line.amount, 0);
  return {
    from: (await requireSubscription(deps, userId)).plan,
    to,
    currency: invoice.currency,
    due_now: sum(lines),
    credit: -sum(lines.filter(({ amount }) => amount < 0)),
    charge: sum(lines.filter(({ amount }) => amount > 0)),
    monthly: PLANS[to].unit_amount,
    renews_at: new Date(Math.max(...subscription.items.data.map((item) => item.current_period_end)) * 1000),
    proration_date: at,
  };
}

/**
 * Changes to another plan at Stripe, at the second that the preview was about. The machine follows by itself: see steerBox. A card that
 * doesn't pay changes nothing.
 * @throws SpoqError as previewPlan, and `invalid_request` when the preview is too old
 */
export async function changePlan(
  deps: PlanDeps,
  userId: string,
  change: { to: PlanName; prorationDate: number; ip: string },
): Promise<void> {
  const now = Math.floor(deps.now().getTime() / 1000);
  if (change.prorationDate > now || now - change.prorationDate > PREVIEW_SECONDS)
    throw new SpoqError('conflict', {
      detail: 'This calculation is older than a quarter of an hour. Nothing was changed.',
      next: 'Look at the new one and confirm it.',
    });
  const { subscription, items, box } = await readChange(deps, userId, change.to);
  if (box !== undefined) requireIdle(box);
  await askStripe(
    'change the plan',
    () =>
      deps.stripe.subscriptions.update(
        subscription.id,
        {
          items,
          proration_behavior: 'always_invoice',
          proration_date: change.prorationDate,
          payment_behavior: 'error_if_incomplete',
          metadata: { plan: change.to },
        },
        { idempotencyKey: `plan-${subscription.id}-${change.to}-${change.prorationDate}` },
      ),
    'Your plan is as it was.',
  );
  await deps.db.transaction(async (tx) => {
    await syncSubscription(deps, tx, subscription.id);
    await recordAudit(tx, {
      at: deps.now(),
      actor: `user:${userId}`,
      user_id: userId,
      action: 'subscription.plan_changed',
      detail: { subscription_id: subscription.id, plan: change.to },
      ip: change.ip,
    });
  });
}

/**
 * The machine could not be brought to the size that is paid for: the plan goes back to what the box is, with the difference credited,
 * and its owner is told.
 */
export async function takePlanBack(deps: PlanDeps, row: SubscriptionRow, box: UserVpsRow): Promise<void> {
  if (row.stripe_subscription_id === null) return;
  const id = row.stripe_subscription_id;
  const subscription = await askStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(id));
  const items = await describeItems(deps, subscription, box.plan);
  await askStripe('take the plan back', () =>
    deps.stripe.subscriptions.update(
      id,
      { items, proration_behavior: 'always_invoice', metadata: { plan: box.plan } },
      { idempotencyKey: `plan-back-${box.id}-${box.operation_number}` },
    ),
  );
  await deps.db.transaction(async (tx) => {
    await syncSubscription(deps, tx, id);
    await lockInTransaction(tx, `box-of:${box.user_id}`);
    await updateBox(tx, box.id, { resize_number: null });
    const reason = box.operation_failure ?? 'Its new machine could not be made.';
    await queueMail(deps, tx, {
      to: { userId: box.user_id },
      kind: 'plan_taken_back',
      key: `plan_taken_back:${box.id}:${box.operation_number}`,
      message: planTakenBack({ baseUrl: deps.config.BASE_URL, wanted: row.plan, plan: box.plan, reason }),
    });
    await recordAudit(tx, {
      at: deps.now(),
      actor: 'system',
      user_id: box.user_id,
      action: 'subscription.plan_taken_back',
      detail: { subscription_id: id, plan: box.plan },
    });
  });
}

interface PlanChange {
  subscription: Stripe.Subscription;
  items: { id: string; price: string }[];
  box: UserVpsRow | undefined;
}

async function readChange(deps: PlanDeps, userId: string, to: PlanName): Promise<PlanChange> {
  const row = await requireSubscription(deps, userId);
  const refuse = (detail: string): never => {
    throw new SpoqError('conflict', { detail: `${detail} Nothing was changed.` });
  };
  if (row.status !== 'active') refuse('Only a subscription that is paid can be changed.');
  if (row.plan === to) refuse(`You have ${PLANS[to].name} already.`);
  if (row.cancel_at !== null) refuse('Your subscription is about to end. Take the cancellation back first.');
  const box = await findBoxOfUser(deps.db, userId);
  if (box !== undefined && deps.config.BOX_CONVERGE !== 'ssh')
    refuse('This machine has no SSH server to copy it by, so it can have no other size.');
  const id = String(row.stripe_subscription_id);
  const subscription = await askStripe('read your subscription', () => deps.stripe.subscriptions.retrieve(id));
  return { subscription, items: await describeItems(deps, subscription, to), box };
}

async function requireSubscription(deps: PlanDeps, userId: string): Promise<SubscriptionRow> {
  const row = await findSubscription(deps.db, userId);
  if (row?.stripe_subscription_id == null) throw new SpoqError('no_subscription');
  return row;
}

async function describeItems(
  deps: PlanDeps,
  subscription: Stripe.Subscription,
  plan: PlanName,
): Promise<{ id: string; price: string }[]> {
  const prices = await ensurePrices(deps);
  const [item] = subscription.items.data;
  if (item === undefined) throw new Error(`subscription ${subscription.id} has no item`);
  return [{ id: item.id, price: prices[plan] }];
}
