import { Router } from '@koa/router';
import { z } from 'zod';
import type { RequestState } from '../parse-body.ts';
import { createDelivery, type Account } from './account.ts';
import { changeCard } from './commands/add-card.ts';
import { setSubscriptionStatus } from './commands/end-subscription.ts';
import { completeCheckout } from './commands/complete-checkout.ts';
import { closeDispute, disputeCharge } from './commands/dispute-charge.ts';
import { StripeError } from './errors.ts';
import type { CardFields } from './objects/payment-method.ts';
import { parseParams } from './params.ts';
import { SUBSCRIPTION_STATUSES } from './state.ts';
import { listenAt } from './webhooks/listen-at.ts';

const Status = z.strictObject({ status: z.enum(SUBSCRIPTION_STATUSES) });
const Webhook = z.strictObject({ url: z.url(), secret: z.string().min(1).optional() });
const card = {
  card: z
    .string()
    .regex(/^\d{12,19}$/)
    .default('4242424242424242'),
  exp_month: z.number().int().min(1).max(12).default(12),
  exp_year: z.number().int().min(2000).max(2099).default(2034),
};
const Card = z.strictObject(card);
const Payment = z.strictObject({ ...card, email: z.email().default('customer@example.com') });
const Dispute = z.strictObject({ reason: z.string().min(1).max(200).default('fraudulent') });
const Verdict = z.strictObject({ status: z.enum(['won', 'lost']) });
const Hold = z.strictObject({ held: z.boolean() });

/**
 * What only a sandboxed Stripe has, as JSON under /_sandbox on its own port:
 * - GET /_sandbox/deliveries: each event on its way to each endpoint, with every attempt; `?event=evt_…`
 * - POST /_sandbox/events/:id/resend: delivers it again, to every endpoint
 * - POST /_sandbox/subscriptions/:id/status `{status}`: as if a payment had failed or been made good
 * - POST /_sandbox/subscriptions/:id/card `{card?, exp_month?, exp_year?}`: another card pays from now on, unchecked, so that
 *   the next renewal can fail: 4000000000000341, 4000000000000002, 4000000000009995…
 * - POST /_sandbox/checkout/:id/pay `{email?, card?, exp_month?, exp_year?}`: pays without the page
 * - POST /_sandbox/charges/:id/dispute `{reason?}`: as if the customer had gone to the bank
 * - POST /_sandbox/disputes/:id/close `{status}`: the bank decides, `won` or `lost` for the seller
 * - PUT /_sandbox/webhook `{url, secret?}`: where all events go, beside registered endpoints
 * - POST /_sandbox/webhooks/hold `{held}`: while held, events are recorded and not sent; what waited goes out after
 * - POST /_sandbox/deliveries/drop: gives up all that is pending, as if it had been lost; answers what was dropped
 */
export function createStripeControl(account: Account): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/_sandbox' });
  router.use(async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (!(error instanceof StripeError)) throw error;
      ctx.status = error.status;
      ctx.body = { message: error.message };
    }
  });
  router.get('/deliveries', (ctx) => {
    const { event } = ctx.query;
    ctx.body = Object.values(account.state.deliveries).filter((one) => event === undefined || one.event === event);
  });
  router.post('/events/:id/resend', (ctx) => {
    const event = account.state.events[String(ctx.params['id'])];
    if (event === undefined) throw new StripeError(404, { type: 'invalid_request_error', message: 'No such event' });
    ctx.status = 202;
    ctx.body = account.change(({ state }) =>
      Object.values(state.webhook_endpoints).map((endpoint) => {
        const delivery = createDelivery(event.id, event.type, endpoint, account.clock.now().getTime());
        state.deliveries[delivery.id] = delivery;
        return delivery;
      }),
    );
  });
  router.post('/subscriptions/:id/status', (ctx) => {
    const { status } = readJson(Status, ctx.state.body);
    ctx.body = account.change((change) => setSubscriptionStatus(change, String(ctx.params['id']), status));
  });
  router.post('/checkout/:id/pay', (ctx) => {
    const { email, ...typed } = readJson(Payment, ctx.state.body);
    ctx.body = completeCheckout(account, String(ctx.params['id']), { name: null, email, card: toCard(typed) });
  });
  router.post('/subscriptions/:id/card', (ctx) => {
    const typed = readJson(Card, ctx.state.body);
    ctx.body = account.change((change) => changeCard(change, String(ctx.params['id']), toCard(typed)));
  });
  router.post('/charges/:id/dispute', (ctx) => {
    const { reason } = readJson(Dispute, ctx.state.body);
    ctx.body = account.change((change) => disputeCharge(change, String(ctx.params['id']), reason));
  });
  router.post('/disputes/:id/close', (ctx) => {
    const { status } = readJson(Verdict, ctx.state.body);
    ctx.body = account.change((change) => closeDispute(change, String(ctx.params['id']), status));
  });
  router.post('/webhooks/hold', (ctx) => {
    const { held } = readJson(Hold, ctx.state.body);
    ctx.body = account.change(({ state }) => {
      state.webhooks_held = held;
      return { held };
    });
  });
  router.post('/deliveries/drop', (ctx) => {
    ctx.body = account.change(({ state }) => {
      const dropped = Object.values(state.deliveries).filter((one) => one.state === 'pending');
      for (const delivery of dropped) Object.assign(delivery, { state: 'failed', next_attempt_at: null });
      return dropped;
    });
  });
  router.put('/webhook', (ctx) => {
    const { url, secret } = readJson(Webhook, ctx.state.body);
    listenAt(account, { url, secret });
    ctx.status = 204;
  });
  return router;
}

function toCard(typed: z.infer<typeof Card>): CardFields {
  return { number: typed.card, exp_month: typed.exp_month, exp_year: typed.exp_year };
}

function readJson<T>(schema: z.ZodType<T>, body: unknown): T {
  return parseParams(
    schema,
    (typeof body === 'object' && body !== null ? body : {}) as Parameters<typeof parseParams>[1],
  );
}
