import type { IncomingMessage } from 'node:http';
import { SpoqError } from '../../contract/errors.ts';
import type { VerifyToken } from '../token-verifier.ts';
import { readHeaderValues } from '../web.ts';
import type { Middleware } from '../web.ts';

const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/**
 * Lets in the owner's token (RFC 6750) and `GET /health`, nothing else. It comes before routing: who has no token
 * doesn't learn which addresses exist. The answer is 403 in every case, and says in WWW-Authenticate what is missing.
 */
export function createTokenGuard(verifyToken: VerifyToken): Middleware {
  return async (ctx, next) => {
    if (ctx.method === 'GET' && ctx.path === '/health') return next();
    try {
      await verifyToken(readBearer(ctx.req));
    } catch (error) {
      if (error instanceof SpoqError) ctx.set('www-authenticate', challenge(error));
      throw error;
    }
    return next();
  };
}

function readBearer(req: IncomingMessage): string {
  const [value, ...others] = readHeaderValues(req, 'authorization');
  if (value === undefined || !/^bearer\b/i.test(value)) throw new SpoqError('token_missing');
  const token = BEARER.exec(value)?.[1];
  if (token === undefined || others.length > 0) {
    throw new SpoqError('token_invalid', { detail: 'There must be one Authorization header: Bearer and a token.' });
  }
  return token;
}

/** RFC 6750 §3: no error code when there was no token at all. */
function challenge(error: SpoqError): string {
  if (error.code === 'token_missing') return 'Bearer realm="spoq"';
  return `Bearer realm="spoq", error="invalid_token", error_description="${error.detail ?? error.title}"`;
}
