import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { Stripe } from 'stripe';
import { SpoqError } from '../../contract/errors.ts';
import { applyStripeEvent } from '../commands/apply-stripe-event.ts';
import type { Deps } from '../deps.ts';
import { API_VERSION } from '../integrations/stripe.ts';
import { readBytes } from '../middleware/body.ts';
import { createRateLimiter, toAddressKey } from '../middleware/rate-limit.ts';

/** Stripe's largest events are far below. */
const MAX_BYTES = 1024 * 1024;
/** How old a signature may be, in seconds: Stripe's own default. */
const TOLERANCE_SECONDS = 300;

/**
 * POST /api/subscription/webhook. Answers 200 for whatever Stripe has signed; what failed is sent again by Stripe. Only what isn't
 * signed is counted, by address: Stripe itself is never turned away, whoever else calls from where its events come from.
 */
export function createWebhookRoutes(deps: Deps): Router {
  const router = new Router();
  const unsigned = createRateLimiter(deps, 'webhook', { remembers: true });
  const told = new Set<string | null>();
  router.post('/api/subscription/webhook', async (ctx) => {
    const event = await readEvent(ctx);
    if (event.api_version !== API_VERSION) {
      // Only ids are read out of an event, so it is applied all the same; but the endpoint at Stripe was made with another version.
      if (!told.has(event.api_version))
        deps.log.warn(
          { event_id: event.id, version: event.api_version, ours: API_VERSION },
          'event of another version',
        );
      told.add(event.api_version);
      deps.metrics.stripeEventsTotal.inc({ outcome: 'other_version' });
    }
    const outcome = await applyStripeEvent(deps, event);
    deps.metrics.stripeEventsTotal.inc({ outcome });
    deps.log.info({ event_id: event.id, type: event.type, outcome }, 'stripe event');
    ctx.body = { received: true, outcome };
  });
  async function readEvent(ctx: Context): Promise<Stripe.Event> {
    const signature = ctx.get('Stripe-Signature');
    try {
      // What claims no signature isn't worth reading.
      return verify(deps, signature === '' ? Buffer.alloc(0) : await readBytes(ctx, { limit: MAX_BYTES }), signature);
    } catch (error) {
      await unsigned.consume(toAddressKey(ctx.ip));
      throw error;
    }
  }
  return router;
}

/** The signature is over the bytes as they came: a body that was parsed and written again wouldn't match. */
function verify(deps: Deps, raw: Buffer, signature: string): Stripe.Event {
  try {
    return deps.stripe.webhooks.constructEvent(
      raw,
      signature,
      deps.config.STRIPE_WEBHOOK_SECRET.reveal(),
      TOLERANCE_SECONDS,
      undefined,
      deps.machineNow().getTime(),
    );
  } catch (cause) {
    throw new SpoqError('signature_invalid', {
      detail: 'The signature of this event is missing, too old, or not made with our secret. It was not applied.',
      cause,
    });
  }
}
