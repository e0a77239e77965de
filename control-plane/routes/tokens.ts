import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { z } from 'zod';
import {
  CLI_CLIENT_ID,
  CodeTokenRequest,
  DEVICE_GRANT_TYPE,
  DeviceRequest,
  DeviceTokenRequest,
  RefreshGrantRequest,
  RefreshRequest,
  RevokeRequest,
  type TokenResponse,
} from '../../contract/auth.ts';
import { parseInput } from '../../contract/problem.ts';
import { exchangeAuthorizationCode } from '../commands/exchange-authorization-code.ts';
import { exchangeDeviceCode } from '../commands/exchange-device-code.ts';
import { revokeToken } from '../commands/revoke-token.ts';
import { rotateRefreshToken } from '../commands/rotate-refresh-token.ts';
import { startDeviceGrant } from '../commands/start-device-grant.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createOAuthErrorMiddleware } from '../middleware/oauth-error.ts';
import { createRateLimiter, limitByAddress, type RateLimitKind } from '../middleware/rate-limit.ts';
import { dropEmpty } from '../drop-empty.ts';
import { OAuthFailure } from '../oauth-failure.ts';

/** How a client would authenticate (RFC 6749 §2.3.1, RFC 7523 §2.2). */
const SECRETS = ['client_secret', 'client_assertion'];

/**
 * The OAuth endpoints of the command line: device grant (RFC 8628), code (RFC 6749 §4.1), refresh (§6), revocation (RFC 7009).
 * `/auth/token` takes every grant, as OAuth clients expect; the others are older and take one each. No cookies.
 */
export function createTokenRoutes(deps: Deps): Router {
  const router = new Router();
  const errors = createOAuthErrorMiddleware(deps);
  const body = createBodyMiddleware();
  const limit = (kind: RateLimitKind) => limitByAddress(createRateLimiter(deps, kind));

  router.post('/auth/device', errors, limit('device'), body, async (ctx) => {
    const { hostname } = parseOAuth(ctx, DeviceRequest);
    ctx.body = await startDeviceGrant(deps, { hostname, ip: ctx.ip, userAgent: ctx.get('User-Agent') });
  });

  const grants: Record<string, (ctx: Context) => Promise<TokenResponse>> = {
    [DEVICE_GRANT_TYPE]: (ctx) => exchangeDeviceCode(deps, parseOAuth(ctx, DeviceTokenRequest).device_code, ctx.ip),
    authorization_code: (ctx) => exchangeAuthorizationCode(deps, parseOAuth(ctx, CodeTokenRequest), ctx.ip),
    refresh_token: (ctx) => rotateRefreshToken(deps, parseOAuth(ctx, RefreshGrantRequest).refresh_token, ctx.ip),
  };
  router.post('/auth/token', errors, limit('device-token'), body, async (ctx) => {
    const { grant_type: given } = getBody(ctx) as { grant_type?: unknown };
    if (typeof given !== 'string' || given === '')
      throw new OAuthFailure('invalid_request', 'There must be one grant_type.');
    const exchange = Object.hasOwn(grants, given) ? grants[given] : undefined;
    if (exchange === undefined)
      throw new OAuthFailure('unsupported_grant_type', `It must be one of ${Object.keys(grants).join(', ')}.`);
    ctx.body = await exchange(ctx);
  });

  router.post('/auth/device/token', errors, limit('device-token'), body, async (ctx) => {
    const { device_code: deviceCode } = parseOAuth(ctx, DeviceTokenRequest, DEVICE_GRANT_TYPE);
    ctx.body = await exchangeDeviceCode(deps, deviceCode, ctx.ip);
  });

  router.post('/auth/refresh', errors, limit('refresh'), body, async (ctx) => {
    const { refresh_token: token } = parseOAuth(ctx, RefreshRequest, 'refresh_token');
    ctx.body = await rotateRefreshToken(deps, token, ctx.ip);
  });

  router.post('/auth/revoke', errors, limit('refresh'), body, async (ctx) => {
    const { token } = parseOAuth(ctx, RevokeRequest);
    await revokeToken(deps, token, ctx.ip);
    ctx.body = {};
  });
  return router;
}

/** Parses the body; another grant type or client than ours has an error of its own (RFC 6749 §5.2). */
function parseOAuth<T>(ctx: Context, schema: z.ZodType<T>, grantType?: string): T {
  const body = dropEmpty(getBody(ctx));
  const { grant_type: given, client_id: client } = body as { grant_type?: unknown; client_id?: unknown };
  // The one client is public and can keep no secret: who brings one is another.
  if (ctx.get('Authorization') !== '' || SECRETS.some((name) => Object.hasOwn(Object(body), name)))
    throw new OAuthFailure('invalid_client', 'The client is public and must not authenticate.');
  if (grantType !== undefined && typeof given === 'string' && given !== grantType)
    throw new OAuthFailure('unsupported_grant_type', `This endpoint takes ${grantType}.`);
  if (typeof client === 'string' && client !== CLI_CLIENT_ID)
    throw new OAuthFailure('invalid_client', 'The client is unknown.');
  return parseInput(schema, body);
}
