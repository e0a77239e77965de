import { Router } from '@koa/router';
import { z } from 'zod';
import type { RequestState } from '../parse-body.ts';
import { createDelivery, type Account } from './account.ts';
import { setSubscriptionStatus } from './commands/change-subscription.ts';
import { completeCheckout } from './commands/complete-checkout.ts';
import { StripeError } from './errors.ts';
import { parseParams } from './params.ts';
import { SUBSCRIPTION_STATUSES } from './state.ts';
import { listenAt } from './webhooks/listen-at.ts';

const Status = z.strictObject({ status: z.enum(SUBSCRIPTION_STATUSES) });
const Webhook = z.strictObject({ url: z.url(), secret: z.string().min(1).optional() });
const Payment = z.strictObject({
  email: z.email().default('customer@example.com'),
  card: z.string().default('4242424242424242'),
});

/**
 * What only a sandboxed Stripe has, as JSON under /_sandbox on its own port:
 * - GET /_sandbox/deliveries: each event on its way to each endpoint, with every attempt; `?event=evt_…`
 * - POST /_sandbox/events/:id/resend: delivers it again, to every endpoint
 * - POST /_sandbox/subscriptions/:id/status `{status}`: as if a payment had failed or been made good
 * - POST /_sandbox/checkout/:id/pay `{email?, card?}`: pays without the page
 * - PUT /_sandbox/webhook `{url, secret?}`: where all events go, beside registered endpoints
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
    ctx.body = completeCheckout(account, String(ctx.params['id']), {
      name: null,
      ...readJson(Payment, ctx.state.body ?? {}),
    });
  });
  router.put('/webhook', (ctx) => {
    const { url, secret } = readJson(Webhook, ctx.state.body);
    listenAt(account, { url, secret });
    ctx.status = 204;
  });
  return router;
}

function readJson<T>(schema: z.ZodType<T>, body: unknown): T {
  return parseParams(
    schema,
    (typeof body === 'object' && body !== null ? body : {}) as Parameters<typeof parseParams>[1],
  );
}
