import { randomUUID, timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Machines } from '../machines/machines.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { DATA_CENTERS, TEMPLATES } from './catalog.ts';
import { HostingerError } from './errors.ts';
import { presentCatalog, presentPaymentMethod, presentSubscription } from './present.ts';
import { createResourceRoutes } from './resource-routes.ts';
import { createHostingerState } from './state.ts';
import { createVirtualMachines } from './virtual-machines.ts';
import { createVmRoutes } from './vm-routes.ts';

/** Hostinger's VPS and billing API, renting out the sandbox's machines. */
export function createHostingerVendor(context: VendorContext, machines: Machines): Vendor {
  const { clock, delays } = context;
  const store = context.openStore(() => createHostingerState(clock.now()));
  const vms = createVirtualMachines({ store, clock, delays, machines });
  vms.schedule.wake();

  const router = new Router<RequestState>();
  router.use(requireKey(store.data.api_key), refuseBadJson, (_ctx, next) => {
    vms.schedule.wake();
    return next();
  });
  router.use(createVmRoutes({ vms, store, clock }).routes());
  router.use(createResourceRoutes({ store, clock }).routes());
  router.get('/api/vps/v1/data-centers', (ctx) => {
    ctx.body = DATA_CENTERS;
  });
  router.get('/api/vps/v1/templates', (ctx) => {
    ctx.body = TEMPLATES;
  });
  router.get('/api/vps/v1/templates/:id', (ctx) => {
    const template = TEMPLATES.find(({ id }) => id === Number(ctx.params['id']));
    if (!template) throw new HostingerError(404, 'Template not found');
    ctx.body = template;
  });
  router.get('/api/billing/v1/catalog', (ctx) => {
    const { category, name } = ctx.query;
    ctx.body = presentCatalog().filter(
      (item) => (category === undefined || item['category'] === category) && matchesName(item['name'], name),
    );
  });
  router.get('/api/billing/v1/payment-methods', (ctx) => {
    ctx.body = [presentPaymentMethod(store.data)];
  });
  router.get('/api/billing/v1/subscriptions', (ctx) => {
    ctx.body = store.data.subscriptions.map(presentSubscription);
  });
  router.delete('/api/billing/v1/subscriptions/:id/auto-renewal/disable', (ctx) => {
    ctx.body = presentSubscription(vms.setRenewal(String(ctx.params['id']), false));
  });
  router.patch('/api/billing/v1/subscriptions/:id/auto-renewal/enable', (ctx) => {
    ctx.body = presentSubscription(vms.setRenewal(String(ctx.params['id']), true));
  });

  return {
    routes: async (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next)),
    credentials: {
      HOSTINGER_API_KEY: store.data.api_key,
      HOSTINGER_PAYMENT_METHOD_ID: String(store.data.payment_method_id),
    },
    summarize: () => ({
      'virtual machines': store.data.machines.length,
      running: store.data.machines.filter(({ state }) => state === 'running').length,
      'not renewing': store.data.subscriptions.filter(({ status }) => status === 'not_renewing').length,
    }),
    inspect: () => ({
      machines: store.data.machines,
      actions: store.data.actions,
      subscriptions: store.data.subscriptions,
      scripts: store.data.scripts.map((script) => ({ ...script, content: undefined })),
      keys: store.data.keys,
    }),
    async close() {
      vms.schedule.close();
    },
  };
}

/** `name` in the catalog's query may end in a star. */
function matchesName(value: unknown, wanted: string | string[] | undefined): boolean {
  if (wanted === undefined) return true;
  const [text, name] = [String(value).toUpperCase(), String(wanted).toUpperCase()];
  return name.endsWith('*') ? text.startsWith(name.slice(0, -1)) : text === name;
}

async function answerErrors(ctx: ParameterizedContext<RequestState>, next: () => Promise<unknown>): Promise<void> {
  try {
    await next();
    if (ctx.status === 404 && ctx.body === undefined) throw new HostingerError(404, 'Not found');
  } catch (error) {
    if (!(error instanceof HostingerError)) throw error;
    ctx.status = error.status;
    ctx.body = error.toBody(randomUUID());
  }
}

function requireKey(key: string): Middleware<RequestState> {
  const expected = Buffer.from(key);
  return (ctx, next) => {
    const given = Buffer.from(/^Bearer (.+)$/i.exec(ctx.get('authorization'))?.[1] ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new HostingerError(401, 'Unauthenticated');
    }
    return next();
  };
}

const refuseBadJson: Middleware<RequestState> = (ctx, next) => {
  if (ctx.state.bodyFault !== undefined) throw new HostingerError(422, 'The request body is not valid JSON.');
  return next();
};
