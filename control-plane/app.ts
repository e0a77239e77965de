import Koa from 'koa';
import type { Router } from '@koa/router';
import type { Deps } from './deps.ts';
import { createClientAddressMiddleware } from './middleware/client-address.ts';
import { createHeadersMiddleware } from './middleware/headers.ts';
import { createNoticeMiddleware } from './middleware/notice.ts';
import { createProblemMiddleware } from './middleware/problem.ts';
import { createRequestMiddleware } from './middleware/request.ts';
import { createSameOriginGuard } from './middleware/same-origin.ts';
import { createSessionMiddleware } from './middleware/session.ts';
import { createWriteLimit } from './middleware/write-limit.ts';
import { createAccountDeleteRoutes } from './routes/account-delete.ts';
import { createAccountActivityRoutes } from './routes/account-activity.ts';
import { createAccountDevicesRoutes } from './routes/account-devices.ts';
import { createAccountExportRoutes } from './routes/account-export.ts';
import { createAccountPasswordRoutes } from './routes/account-password.ts';
import { createAccountRoutes } from './routes/account.ts';
import { createAssetRoutes } from './routes/assets.ts';
import { createBillingRoutes } from './routes/billing.ts';
import { createBootRoutes } from './routes/boot.ts';
import { createClaimRoutes } from './routes/claim.ts';
import { createCliSignInRoutes } from './routes/cli-sign-in.ts';
import { createHealthRoutes } from './routes/health.ts';
import { createHomeRoutes } from './routes/home.ts';
import { createJwksRoutes } from './routes/jwks.ts';
import { createMetadataRoutes } from './routes/oauth-metadata.ts';
import { createOpenApiRoutes } from './routes/openapi.ts';
import { createReleaseRoutes } from './routes/releases.ts';
import { createRevocationRoutes } from './routes/revocations.ts';
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
      createRevocationRoutes(deps),
      createMetadataRoutes(deps),
      createTokenRoutes(deps),
      createOpenApiRoutes(deps),
      createWebhookRoutes(deps),
      createBootRoutes(deps),
      createReleaseRoutes(deps),
    ],
    withSession: [
      createSignInRoutes(deps),
      createVerifyRoutes(deps),
      createCliSignInRoutes(deps),
      createHomeRoutes(deps),
      createSubscriptionRoutes(deps),
      createClaimRoutes(deps),
      createSetupRoutes(deps),
      createVpsRoutes(deps),
      createBillingRoutes(deps),
      ...(deps.config.BOX_CONVERGE === 'ssh' ? [createAccountPasswordRoutes(deps)] : []),
      createAccountDevicesRoutes(deps),
      createAccountDeleteRoutes(deps),
      createAccountActivityRoutes(deps),
      createAccountExportRoutes(deps),
      createAccountRoutes(deps),
    ],
  };
}

const HUNG_UP = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE']);

/** The web app, not listening yet. Order: id and log, errors, headers, open routes, then the same-origin guard, session, and everything that needs one. */
export function createApp(deps: Deps): Koa {
  // Koa's own `proxy` would believe any peer, and X-Forwarded-Host with it.
  const app = new Koa();
  app.on('error', (err: unknown) => {
    // Whoever closes a page that streams, or cuts a download, does nothing wrong.
    if (HUNG_UP.has(String((err as { code?: unknown }).code))) deps.log.debug({ err }, 'the client has left');
    else deps.log.error({ err }, 'response failed');
  });
  app.use(createClientAddressMiddleware(deps.config.TRUSTED_PROXIES));
  app.use(createRequestMiddleware(deps));
  app.use(createProblemMiddleware(deps));
  app.use(
    createHeadersMiddleware({
      https: deps.config.BASE_URL.startsWith('https://'),
      formTargets: stripePages(deps.config.STRIPE_API_URL),
    }),
  );
  const mount = (router: Router) => app.use(router.routes()).use(router.allowedMethods());
  const routers = createRouters(deps);
  routers.open.forEach(mount);
  app.use(createSameOriginGuard(deps.config.BASE_URL));
  app.use(createSessionMiddleware(deps)).use(createWriteLimit(deps)).use(createNoticeMiddleware(deps));
  routers.withSession.forEach(mount);
  return app;
}

/** Where the forms to pay and to see to payments end up: browsers apply `form-action` to redirects too. */
function stripePages(stripeApiUrl: string): string[] {
  const { origin, hostname } = new URL(stripeApiUrl);
  return hostname === 'api.stripe.com' ? ['https://checkout.stripe.com', 'https://billing.stripe.com'] : [origin];
}
