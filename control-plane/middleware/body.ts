import { bodyParser } from '@koa/bodyparser';
import type { Context, Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';

/**
 * Reads a form or JSON body of at most 16 kB into `ctx.request.body`. Another content type is `unsupported_media_type`, what
 * can't be parsed `invalid_request`.
 */
export function createBodyMiddleware(limit = '16kb'): Middleware {
  const parse = bodyParser({ enableTypes: ['json', 'form'], jsonLimit: limit, formLimit: limit });
  return async (ctx, next) => {
    if (ctx.is('json', 'urlencoded') === false)
      throw new SpoqError('unsupported_media_type', { detail: 'Send a form or JSON.' });
    try {
      await parse(ctx, async () => {});
    } catch (cause) {
      if ((cause as { status?: unknown }).status === 413)
        throw new SpoqError('body_too_large', { detail: `The body is larger than ${limit}.`, cause });
      throw new SpoqError('invalid_request', { detail: 'The body could not be read as what it says it is.', cause });
    }
    await next();
  };
}

/** What createBodyMiddleware read; an empty object when there was no body. */
export function getBody(ctx: Context): unknown {
  return (ctx.request as { body?: unknown }).body ?? {};
}
