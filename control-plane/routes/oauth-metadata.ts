import { Router } from '@koa/router';
import { DEVICE_GRANT_TYPE, type ServerMetadata } from '../../contract/auth.ts';
import type { Deps } from '../deps.ts';

/** Where an OAuth client finds everything (RFC 8414). */
export function createMetadataRoutes({ config }: Pick<Deps, 'config'>): Router {
  const router = new Router();
  const issuer = config.BASE_URL;
  const metadata: ServerMetadata = {
    issuer,
    authorization_endpoint: `${issuer}/auth/cli`,
    token_endpoint: `${issuer}/auth/token`,
    device_authorization_endpoint: `${issuer}/auth/device`,
    revocation_endpoint: `${issuer}/auth/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', DEVICE_GRANT_TYPE],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    authorization_response_iss_parameter_supported: true,
  };
  router.get('/.well-known/oauth-authorization-server', (ctx) => {
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.body = metadata;
  });
  return router;
}
