import type { IncomingMessage } from 'node:http';
import { getRawBody } from 'raw-body';
import { SpoqError } from '../contract/errors.ts';
import type { Context } from './web.ts';

/** How much more than the limit is read and thrown away, and for how long at most. */
const DRAIN_BYTES = 4 * 1024 * 1024;
const DRAIN_MS = 5_000;

/** Reads a JSON body of at most `limit` bytes. Throws 413, 415 or `invalid_request`; the value is still to be parsed. */
export async function readJsonBody(ctx: Context, limit: number): Promise<unknown> {
  if (!ctx.is('application/json')) throw new SpoqError('unsupported_media_type', { detail: 'Send application/json.' });
  if ((ctx.get('content-encoding') || 'identity') !== 'identity') {
    throw new SpoqError('unsupported_media_type', { detail: 'Send the body without a content encoding.' });
  }
  const body = await readBytes(ctx, limit);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new SpoqError('invalid_request', { detail: 'The body is not JSON in UTF-8.', cause: error });
  }
}

async function readBytes(ctx: Context, limit: number): Promise<Buffer> {
  const { req } = ctx;
  try {
    return await getRawBody(req, { limit, length: req.headers['content-length'] ?? null });
  } catch (error) {
    await drain(req, limit + DRAIN_BYTES);
    // What still comes would keep the connection; it has no end, perhaps.
    if (!req.complete) ctx.set('connection', 'close');
    const type = error instanceof Error && 'type' in error ? error.type : undefined;
    if (type === 'entity.too.large') {
      throw new SpoqError('body_too_large', { detail: `The limit is ${limit} bytes.`, cause: error });
    }
    throw new SpoqError('invalid_request', { detail: 'The body did not arrive whole.', cause: error });
  }
}

/** Who is still sending doesn't look for an answer, and would meet a closed connection instead: the rest is read, in bounds. */
function drain(req: IncomingMessage, maxBytes: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, DRAIN_MS);
  let left = maxBytes;
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) resolve();
  });
  req.once('end', resolve).once('close', resolve);
  req.resume();
  return promise.finally(() => clearTimeout(timer));
}
