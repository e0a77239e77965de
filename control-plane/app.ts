import Koa from 'koa';
import type { Router } from '@koa/router';
import type { Deps } from './deps.ts';
import { createHeadersMiddleware } from './middleware/headers.ts';
import { createProblemMiddleware } from './middleware/problem.ts';
import { createRequestMiddleware } from './middleware/request.ts';
import { createSessionMiddleware } from './middleware/session.ts';
import { createAssetRoutes } from './routes/assets.ts';
import { createHealthRoutes } from './routes/health.ts';

/** The web app, not listening yet. Order: id and log, errors, headers, open routes, then session and everything that needs one. */
export function createApp(deps: Deps): Koa {
  const app = new Koa();
  app.proxy = false;
  app.on('error', (err: unknown) => deps.log.error({ err }, 'response failed'));
  app.use(createRequestMiddleware(deps));
  app.use(createProblemMiddleware(deps));
  app.use(
    createHeadersMiddleware({
      https: deps.config.BASE_URL.startsWith('https://'),
      formTargets: [checkoutOrigin(deps.config.STRIPE_API_URL)],
      imageSources: [],
    }),
  );
  const mount = (router: Router) => app.use(router.routes()).use(router.allowedMethods({ throw: true }));
  mount(createHealthRoutes(deps));
  mount(createAssetRoutes(deps));
  app.use(createSessionMiddleware(deps));
  return app;
}

/** Where the Subscribe form ends up: browsers apply `form-action` to redirects too. */
function checkoutOrigin(stripeApiUrl: string): string {
  const { origin, hostname } = new URL(stripeApiUrl);
  return hostname === 'api.stripe.com' ? 'https://checkout.stripe.com' : origin;
}
