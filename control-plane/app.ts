import Koa from 'koa';
import type { Router } from '@koa/router';
import type { Deps } from './deps.ts';
import { createHeadersMiddleware } from './middleware/headers.ts';
import { createProblemMiddleware } from './middleware/problem.ts';
import { createRequestMiddleware } from './middleware/request.ts';
import { createSessionMiddleware } from './middleware/session.ts';
import { createAccountDevicesRoutes } from './routes/account-devices.ts';
import { createAccountPasswordRoutes } from './routes/account-password.ts';
import { createAccountRoutes } from './routes/account.ts';
import { createAssetRoutes } from './routes/assets.ts';
import { createBootRoutes } from './routes/boot.ts';
import { createHealthRoutes } from './routes/health.ts';
import { createHomeRoutes } from './routes/home.ts';
import { createJwksRoutes } from './routes/jwks.ts';
import { createOpenApiRoutes } from './routes/openapi.ts';
import { createReleaseRoutes } from './routes/releases.ts';
import { createSetupRoutes } from './routes/setup.ts';
import { createSignInRoutes } from './routes/sign-in.ts';
import { createSubscriptionRoutes } from './routes/subscription.ts';
import { createTokenRoutes } from './routes/tokens.ts';
import { createVerifyRoutes } from './routes/verify.ts';
import { createVpsRoutes } from './routes/vps.ts';
import { createWebhookRoutes } from './routes/webhook.ts';

/** Every route of the control plane. `open` ones know no cookie; the others run with the browser's session. */
export function createRouters(deps: Deps): { open: Router[]; withSession: Router[] } {
  return {
    open: [
      createHealthRoutes(deps),
      createAssetRoutes(deps),
      createJwksRoutes(deps),
      createTokenRoutes(deps),
      createOpenApiRoutes(deps),
      createWebhookRoutes(deps),
      createBootRoutes(deps),
      createReleaseRoutes(deps),
    ],
    withSession: [
      createSignInRoutes(deps),
      createVerifyRoutes(deps),
      createHomeRoutes(deps),
      createSubscriptionRoutes(deps),
      createSetupRoutes(deps),
      createVpsRoutes(deps),
      ...(deps.config.BOX_CONVERGE === 'ssh' ? [createAccountPasswordRoutes(deps)] : []),
      createAccountDevicesRoutes(deps),
      createAccountRoutes(deps),
    ],
  };
}

const HUNG_UP = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE']);

/** The web app, not listening yet. Order: id and log, errors, headers, open routes, then session and everything that needs one. */
export function createApp(deps: Deps): Koa {
  const app = new Koa({
    // Of X-Forwarded-For only what our own proxies wrote counts: its last entries, one for each of them.
    proxy: deps.config.TRUSTED_PROXY_HOPS > 0,
    maxIpsCount: deps.config.TRUSTED_PROXY_HOPS,
  });
  app.on('error', (err: unknown) => {
    // Whoever closes a page that streams, or cuts a download, does nothing wrong.
    if (HUNG_UP.has(String((err as { code?: unknown }).code))) deps.log.debug({ err }, 'the client has left');
    else deps.log.error({ err }, 'response failed');
  });
  app.use(createRequestMiddleware(deps));
  app.use(createProblemMiddleware(deps));
  app.use(
    createHeadersMiddleware({
      https: deps.config.BASE_URL.startsWith('https://'),
      formTargets: [checkoutOrigin(deps.config.STRIPE_API_URL)],
      imageSources: [],
    }),
  );
  const mount = (router: Router) => app.use(router.routes()).use(router.allowedMethods());
  const routers = createRouters(deps);
  routers.open.forEach(mount);
  app.use(createSessionMiddleware(deps));
  routers.withSession.forEach(mount);
  return app;
}

/** Where the Subscribe form ends up: browsers apply `form-action` to redirects too. */
function checkoutOrigin(stripeApiUrl: string): string {
  const { origin, hostname } = new URL(stripeApiUrl);
  return hostname === 'api.stripe.com' ? 'https://checkout.stripe.com' : origin;
}
