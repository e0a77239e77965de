import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { z } from 'zod';
import {
  CLI_CLIENT_ID,
  DEVICE_GRANT_TYPE,
  DeviceRequest,
  DeviceTokenRequest,
  RefreshRequest,
  RevokeRequest,
} from '../../contract/auth.ts';
import { parseInput } from '../../contract/problem.ts';
import { exchangeDeviceCode } from '../commands/exchange-device-code.ts';
import { revokeRefreshToken } from '../commands/revoke-refresh-token.ts';
import { rotateRefreshToken } from '../commands/rotate-refresh-token.ts';
import { startDeviceGrant } from '../commands/start-device-grant.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createOAuthErrorMiddleware } from '../middleware/oauth-error.ts';
import { createRateLimiter, limitByAddress, type RateLimitKind } from '../middleware/rate-limit.ts';
import { OAuthFailure } from '../oauth-failure.ts';

/** The OAuth endpoints of the command line: device grant (RFC 8628), refresh (RFC 6749 §6), revocation (RFC 7009). No cookies. */
export function createTokenRoutes(deps: Deps): Router {
  const router = new Router();
  const errors = createOAuthErrorMiddleware(deps);
  const body = createBodyMiddleware();
  const limit = (kind: RateLimitKind) => limitByAddress(createRateLimiter(deps, kind));

  router.post('/auth/device', errors, limit('device'), body, async (ctx) => {
    const { hostname } = parseOAuth(ctx, DeviceRequest);
    ctx.body = await startDeviceGrant(deps, { hostname, ip: ctx.ip, userAgent: ctx.get('User-Agent') });
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
    await revokeRefreshToken(deps, token, ctx.ip);
    ctx.body = {};
  });
  return router;
}

/** Parses the body; another grant type or client than ours has an error of its own (RFC 6749 §5.2). */
function parseOAuth<T>(ctx: Context, schema: z.ZodType<T>, grantType?: string): T {
  const body = getBody(ctx);
  const { grant_type: given, client_id: client } = body as { grant_type?: unknown; client_id?: unknown };
  if (grantType !== undefined && typeof given === 'string' && given !== grantType)
    throw new OAuthFailure('unsupported_grant_type', `This endpoint takes ${grantType}.`);
  if (typeof client === 'string' && client !== CLI_CLIENT_ID)
    throw new OAuthFailure('invalid_client', 'The client is unknown.');
  return parseInput(schema, body);
}
