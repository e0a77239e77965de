import { Router } from '@koa/router';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Machines } from '../machines/machines.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { IMAGES, REGIONS } from './catalog.ts';
import { ContaboError } from './errors.ts';
import { createInstanceRoutes } from './instance-routes.ts';
import { createInstances } from './instances.ts';
import { presentDataCenter, presentImage, presentList, presentOne } from './present.ts';
import { createSecretRoutes } from './secrets.ts';
import { createContaboState } from './state.ts';
import { createTokenRoute, requireToken, TOKEN_PATH } from './token.ts';

const REQUEST_ID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-5][0-9A-Fa-f]{3}-[089abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$/;

/** Contabo's compute API with its token endpoint on the same port, renting out the sandbox's machines. */
export function createContaboVendor(context: VendorContext, machines: Machines): Vendor {
  const { clock, delays } = context;
  const store = context.openStore(createContaboState);
  const instances = createInstances({ store, clock, delays, machines });
  instances.schedule.wake();

  const api = new Router<RequestState>();
  api.use(requireToken({ store, clock }), requireRequestId, refuseBadJson);
  api.use(createInstanceRoutes({ instances, store, clock }).routes());
  api.use(createSecretRoutes({ store, clock }).routes());
  api.get('/v1/compute/images', (ctx) => {
    const { name, standardImage } = ctx.query;
    const found = IMAGES.filter((image) => (name === undefined || image.name === name) && standardImage !== 'false');
    ctx.body = presentList(ctx, found.map(presentImage));
  });
  api.get('/v1/compute/images/:id', (ctx) => {
    const image = IMAGES.find(({ id }) => id === ctx.params['id']);
    if (!image) throw new ContaboError(404, 'Image not found');

    ctx.body = presentOne(ctx, presentImage(image));
  });
  api.get('/v1/data-centers', (ctx) => {
    const { slug, name, regionSlug } = ctx.query;
    const found = REGIONS.filter(
      (region) =>
        (slug === undefined || region.centerSlug === slug) &&
        (name === undefined || region.center === name) &&
        (regionSlug === undefined || region.slug === regionSlug),
    );
    ctx.body = presentList(ctx, found.map(presentDataCenter));
  });

  const router = new Router<RequestState>();
  router.post(TOKEN_PATH, createTokenRoute({ store, clock }));
  router.use(api.routes());
  return {
    routes: async (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next)),
    credentials: {
      CONTABO_CLIENT_ID: store.data.client_id,
      CONTABO_CLIENT_SECRET: store.data.client_secret,
      CONTABO_API_USER: store.data.api_user,
      CONTABO_API_PASSWORD: store.data.api_password,
    },
    summarize: () => ({
      instances: store.data.instances.length,
      running: store.data.instances.filter(({ status }) => status === 'running').length,
      cancelled: store.data.instances.filter(({ ends_at }) => ends_at !== undefined).length,
    }),
    inspect: () => ({
      instances: store.data.instances.map((instance) => ({ ...instance, user_data: undefined })),
      secrets: store.data.secrets.map((secret) => ({ ...secret, value: undefined })),
    }),
    async close() {
      instances.schedule.close();
    },
  };
}

async function answerErrors(ctx: ParameterizedContext<RequestState>, next: () => Promise<unknown>): Promise<void> {
  try {
    await next();
    if (ctx.status === 404 && ctx.body === undefined) {
      throw new ContaboError(404, `Cannot ${ctx.method} ${ctx.path}`);
    }
  } catch (error) {
    if (!(error instanceof ContaboError)) throw error;
    ctx.status = error.status;
    ctx.body = error.toBody();
  }
}

/** Required on every call "to identify individual requests for support cases". It makes no call idempotent. */
const requireRequestId: Middleware<RequestState> = (ctx, next) => {
  if (!REQUEST_ID.test(ctx.get('x-request-id'))) throw new ContaboError(400, ['x-request-id must be a UUID']);
  return next();
};

const refuseBadJson: Middleware<RequestState> = (ctx, next) => {
  if (ctx.state.bodyFault !== undefined) throw new ContaboError(400, ctx.state.bodyFault);
  return next();
};
