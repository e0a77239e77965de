import { Router } from '@koa/router';
import { createPages } from '../pages.ts';
import type { RequestState } from '../parse-body.ts';
import { createSchedule } from '../schedule.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { adoptState } from './adopt-state.ts';
import { createAccount, type Account } from './account.ts';
import { createClockSettler } from './commands/advance-clock.ts';
import { findNextMoment, passTime } from './commands/pass-time.ts';
import { createStripeControl } from './control.ts';
import { createPayRoutes } from './pay/routes.ts';
import { createPortalRoutes } from './portal/routes.ts';
import { answerErrors, respond } from './respond.ts';
import { createCatalogRoutes } from './routes/catalog.ts';
import { createCheckoutRoutes } from './routes/checkout.ts';
import { createCustomerRoutes } from './routes/customers.ts';
import { createInvoiceRoutes } from './routes/invoices.ts';
import { createPaymentMethodRoutes } from './routes/payment-methods.ts';
import { createPaymentRoutes } from './routes/payments.ts';
import { createRecordRoutes } from './routes/records.ts';
import { createSubscriptionRoutes } from './routes/subscriptions.ts';
import { createPortalSessionRoutes } from './routes/portal-sessions.ts';
import { createTestClockRoutes } from './routes/test-clocks.ts';
import { createWebhookEndpointRoutes } from './routes/webhook-endpoints.ts';
import { createStripeState } from './state.ts';
import { createDeliverer } from './webhooks/deliver.ts';
import { listenAt } from './webhooks/listen-at.ts';

/**
 * Stripe as far as Spoq uses it: customers, products, prices, checkout with a page to pay on, subscriptions that renew,
 * change their plan, fail to be paid and end with the sandbox's clock or a test clock, invoices with the payments behind
 * them, refunds, disputes, a billing portal, events and signed webhooks. Works on one account in test mode.
 */
export function createStripeVendor(context: VendorContext): Vendor {
  const store = context.openStore(createStripeState);
  adoptState(store);
  const deliverer = createDeliverer({ ...context, store });
  const settler = createClockSettler(() => account);
  const account: Account = createAccount({
    store,
    clock: context.clock,
    url: () => context.url('stripe'),
    wake: () => {
      deliverer.wake();
      schedule.wake();
      settler.wake();
    },
  });
  const schedule = createSchedule({
    clock: context.clock,
    nextDue: () => toMilliseconds(findNextMoment(store.data)),
    settle: () => passTime(account),
  });
  if (context.webhook !== undefined) listenAt(account, context.webhook);
  deliverer.wake();
  schedule.wake();
  settler.wake();

  const pages = createPages();
  const api = new Router<RequestState>();
  for (const route of [
    ...createCustomerRoutes(account),
    ...createCatalogRoutes(account),
    ...createCheckoutRoutes(account),
    ...createSubscriptionRoutes(account),
    ...createInvoiceRoutes(account),
    ...createPaymentRoutes(account),
    ...createPaymentMethodRoutes(account),
    ...createRecordRoutes(account),
    ...createWebhookEndpointRoutes(account),
    ...createTestClockRoutes(account),
    ...createPortalSessionRoutes(account),
  ]) {
    api[route.method](route.path, respond(account, route));
  }
  const site = new Router<RequestState>();
  site.use(
    createPayRoutes(account, pages).routes(),
    createPortalRoutes(account, pages).routes(),
    createStripeControl(account).routes(),
  );
  const refuse = answerErrors(account);
  return {
    routes: (ctx, next) =>
      pages.serveStyle(ctx, () =>
        ctx.path.startsWith('/v1/')
          ? refuse(ctx, () => api.routes()(ctx as never, next) as Promise<unknown>)
          : (site.routes()(ctx as never, next) as Promise<unknown>),
      ),
    credentials: { STRIPE_SECRET_KEY: store.data.secret_key, STRIPE_WEBHOOK_SECRET: store.data.webhook_secret },
    summarize: () => ({
      customers: Object.keys(store.data.customers).length,
      subscriptions: Object.keys(store.data.subscriptions).length,
      'open checkouts': Object.values(store.data.checkout_sessions).filter((one) => one.status === 'open').length,
      'pending webhooks': Object.values(store.data.deliveries).filter((one) => one.state === 'pending').length,
    }),
    inspect: () => {
      const {
        secret_key: _key,
        webhook_secret: _secret,
        endpoint_secrets: _secrets,
        idempotency: _kept,
        ...shown
      } = store.data;
      return shown;
    },
    async close() {
      schedule.close();
      settler.close();
      await deliverer.close();
    },
  };
}

function toMilliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}
