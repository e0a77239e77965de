import { Router } from '@koa/router';
import { createPages } from '../pages.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { createApiRoutes } from './api.ts';
import { createGithubControl } from './control.ts';
import { createGithubState } from './state.ts';
import { createWebRoutes } from './web.ts';

/**
 * GitHub's web flow for OAuth apps and the part of its API that tells who somebody is. Web and API share one port, so both
 * base URLs are the same. One app is registered, with loopback callbacks.
 */
export function createGithubVendor(context: VendorContext): Vendor {
  const store = context.openStore(createGithubState);
  const pages = createPages();
  const router = new Router<RequestState>();
  router.use(
    createWebRoutes({ store, clock: context.clock, pages }).routes(),
    createApiRoutes({ state: store.data, clock: context.clock, url: () => context.url('github') }).routes(),
    createGithubControl(store).routes(),
  );
  return {
    routes: (ctx, next) => pages.serveStyle(ctx, () => router.routes()(ctx as never, next) as Promise<unknown>),
    credentials: { GITHUB_CLIENT_ID: store.data.client_id, GITHUB_CLIENT_SECRET: store.data.client_secret },
    summarize: () => ({ people: store.data.people.length, tokens: Object.keys(store.data.tokens).length }),
    inspect: () => ({ people: store.data.people, callbacks: store.data.callbacks }),
  };
}
