import { Router } from '@koa/router';
import type { Context } from 'koa';
import type Stripe from 'stripe';
import { ChangePlanRequest, PLANS, PLAN_NAMES, type PlanName } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { changePlan, previewPlan } from '../commands/change-plan.ts';
import { openPortal, scheduleEnd } from '../commands/end-subscription.ts';
import { findSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import type { Deps } from '../deps.ts';
import { askStripe } from '../integrations/stripe-errors.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter } from '../middleware/rate-limit.ts';
import { isFromElsewhere } from '../middleware/same-origin.ts';
import { requireUser } from '../middleware/session.ts';
import { showPage } from '../pages/show-page.ts';
import { formatDay, formatMoney } from '../presenters/money.ts';
import { presentPlans } from '../presenters/plans.ts';
import { leadTo } from './ready-box.ts';

const INVOICES = 12;

/** What Stripe alone knows of a subscription, for the page. */
interface StripeSide {
  card: string | undefined;
  invoices: { day: string; amount: string; state: string }[];
}

/** What a person pays: plan, card, invoices, the end of it and coming back. Every change of money is shown before it is made. */
export function createBillingRoutes(deps: Deps): Router {
  const router = new Router();
  const limiter = createRateLimiter(deps, 'billing');
  const body = createBodyMiddleware();

  router.get('/account/billing', async (ctx) => {
    const user = requireUser(ctx);
    const subscription = await findSubscription(deps.db, user.id);
    const side = subscription === undefined ? undefined : await readStripe(subscription);
    const plans = presentPlans();
    showPage(
      deps,
      ctx,
      'billing',
      { title: 'Your subscription' },
      {
        subscription,
        plan: plans.find(({ id }) => id === subscription?.plan),
        others: plans.filter(({ id }) => id !== subscription?.plan),
        plans,
        side,
        formatDay,
        canChange: subscription?.status === 'active' && subscription.cancel_at === null,
      },
    );
  });

  router.post('/account/billing/portal', body, async (ctx) => {
    const user = await begin(ctx);
    leadTo(ctx, await openPortal(deps, user.id));
  });

  for (const [name, ends] of [
    ['cancel', true],
    ['keep', false],
  ] as const)
    router.post(`/account/billing/${name}`, body, async (ctx) => {
      const user = await begin(ctx);
      await scheduleEnd(deps, user.id, { ends, ip: ctx.ip });
      leadTo(ctx, '/account/billing');
    });

  router.get('/account/billing/cancel', async (ctx) => {
    const subscription = await findSubscription(deps.db, requireUser(ctx).id);
    if (subscription?.status !== 'active' || subscription.cancel_at !== null) return leadTo(ctx, '/account/billing');
    showPage(deps, ctx, 'billing-cancel', { title: 'End your subscription' }, { subscription, formatDay });
  });

  router.get('/account/billing/plan', async (ctx) => {
    // Another site's page that leads here again and again would use up what this person may ask of Stripe.
    if (isFromElsewhere(ctx)) return leadTo(ctx, '/account/billing');
    const user = await begin(ctx);
    const to = parsePlan(ctx.query['plan']);
    const preview = await previewPlan(deps, user.id, to);
    const money = (amount: number) => formatMoney(amount, preview.currency);
    const data = { preview, from: PLANS[preview.from], to: PLANS[preview.to], money, formatDay };
    showPage(deps, ctx, 'billing-plan', { title: `Change to ${PLANS[to].name}` }, data);
  });

  router.post('/account/billing/plan', body, async (ctx) => {
    const user = await begin(ctx);
    const { plan, proration_date: prorationDate } = parseInput(ChangePlanRequest, getBody(ctx));
    await changePlan(deps, user.id, { to: plan, prorationDate, ip: ctx.ip });
    leadTo(ctx, '/account/billing');
  });

  async function begin(ctx: Context): Promise<{ id: string }> {
    ctx.state['wayOut'] = { href: '/account/billing', label: 'To your subscription' };
    ctx.set('Cache-Control', 'no-store');
    const user = requireUser(ctx);
    await limiter.consume(user.id);
    return user;
  }

  /** Undefined while Stripe doesn't answer: the rest of the page is ours. */
  async function readStripe(row: SubscriptionRow): Promise<StripeSide | undefined> {
    const { stripe_subscription_id: id, stripe_customer_id: customer } = row;
    if (id === null || customer === null) return undefined;
    try {
      const [subscription, invoices] = await askStripe('read your payments', () =>
        Promise.all([
          deps.stripe.subscriptions.retrieve(id, { expand: ['default_payment_method'] }),
          deps.stripe.invoices.list({ customer, limit: INVOICES }),
        ]),
      );
      return { card: describeCard(subscription), invoices: invoices.data.map(describeInvoice) };
    } catch (err) {
      deps.log.warn({ err }, 'the page of a subscription is shown without what Stripe knows');
      return undefined;
    }
  }
  return router;
}

function parsePlan(value: unknown): PlanName {
  const plan = PLAN_NAMES.find((name) => name === value);
  if (plan === undefined)
    throw new SpoqError('invalid_request', {
      detail: 'There is no such plan.',
      faults: [{ field: 'plan', message: `is none of ${PLAN_NAMES.join(', ')}` }],
    });
  return plan;
}

function describeCard({ default_payment_method: method }: Stripe.Subscription): string | undefined {
  const card = typeof method === 'object' ? method?.card : undefined;
  if (!card) return undefined;
  const month = String(card.exp_month).padStart(2, '0');
  return `${card.brand.charAt(0).toUpperCase()}${card.brand.slice(1)} ending in ${card.last4}, good until ${month}/${card.exp_year}`;
}

const INVOICE_STATES: Record<string, string> = {
  paid: 'paid',
  open: 'to be paid',
  void: 'cancelled',
  draft: 'being made',
};

function describeInvoice(invoice: Stripe.Invoice): StripeSide['invoices'][number] {
  return {
    day: formatDay(new Date(invoice.created * 1000)),
    amount: formatMoney(invoice.total, invoice.currency),
    state: INVOICE_STATES[invoice.status ?? ''] ?? 'not collected',
  };
}
