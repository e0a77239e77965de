import type { IncomingMessage } from 'node:http';
import { getRawBody } from 'raw-body';
import { SpoqError } from '../contract/errors.ts';
import type { Context } from './web.ts';

/** Reads a JSON body of at most `limit` bytes. Throws 413, 415 or `invalid_request`; the value is still to be parsed. */
export async function readJsonBody(ctx: Context, limit: number): Promise<unknown> {
  if (!ctx.is('application/json')) throw new SpoqError('unsupported_media_type', { detail: 'Send application/json.' });
  if ((ctx.get('content-encoding') || 'identity') !== 'identity') {
    throw new SpoqError('unsupported_media_type', { detail: 'Send the body without a content encoding.' });
  }
  const body = await readBytes(ctx.req, limit);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new SpoqError('invalid_request', { detail: 'The body is not JSON in UTF-8.', cause: error });
  }
}

async function readBytes(req: IncomingMessage, limit: number): Promise<Buffer> {
  try {
    return await getRawBody(req, { limit, length: req.headers['content-length'] ?? null });
  } catch (error) {
    // The rest is read and thrown away (the server's request timeout bounds it): who is still sending sees the answer.
    req.resume();
    const type = error instanceof Error && 'type' in error ? error.type : undefined;
    if (type === 'entity.too.large') {
      throw new SpoqError('body_too_large', { detail: `The limit is ${limit} bytes.`, cause: error });
    }
    throw new SpoqError('invalid_request', { detail: 'The body did not arrive whole.', cause: error });
  }
}
