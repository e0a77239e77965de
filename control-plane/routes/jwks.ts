import { createHash } from 'node:crypto';
import { Router } from '@koa/router';
import { listPublicKeys } from '../commands/signing-keys.ts';
import type { Deps } from '../deps.ts';

/** The public keys of access tokens (RFC 7517). Boxes fetch them; they keep them for five minutes, and ask again for a new `kid`. */
export function createJwksRoutes(deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>): Router {
  const router = new Router();
  router.get('/.well-known/jwks.json', async (ctx) => {
    const body = JSON.stringify(await listPublicKeys(deps));
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.set('ETag', etag);
    // Not ctx.fresh: that answers 200 to `Cache-Control: no-cache`, which fetch sends along and which is meant for caches.
    if (
      ctx
        .get('If-None-Match')
        .split(/\s*,\s*/)
        .includes(etag)
    ) {
      ctx.status = 304;
      return;
    }
    ctx.type = 'application/json';
    ctx.body = body;
  });
  return router;
}
