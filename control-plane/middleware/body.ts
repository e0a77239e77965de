import type { Context, Middleware } from 'koa';
import { getRawBody } from 'raw-body';
import { SpoqError } from '../../contract/errors.ts';

const MAX_BYTES = 16 * 1024;
/** A form of ours comes in one packet. Whoever takes longer than this holds a connection and means nothing by it. */
const WITHIN_MS = 15_000;

export interface BodyOptions {
  /** In bytes. */
  limit?: number;
  /** From the end of the headers to the end of the body, in milliseconds. */
  withinMs?: number;
  /** Takes NUL and what isn't UTF-8 as well: for what a machine says, and only where both are cleaned away afterwards. */
  anyText?: boolean;
}

/**
 * Reads a form or JSON object of at most 16 kB into `ctx.request.body`. Another content type is `unsupported_media_type`; what
 * can't be read as what it says it is, a field that comes twice, NUL and `__proto__` are `invalid_request`; a body that trickles is
 * `request_timeout`.
 */
export function createBodyMiddleware({ anyText = false, ...limits }: BodyOptions = {}): Middleware {
  return async (ctx, next) => {
    const type = ctx.is('json', 'urlencoded');
    const isEncoded = (ctx.get('Content-Encoding') || 'identity') !== 'identity';
    if (type === false || isEncoded)
      throw new SpoqError('unsupported_media_type', { detail: 'Send a form or JSON, as it is.' });
    const bytes = type === null ? undefined : await readBytes(ctx, limits);
    try {
      if (bytes !== undefined && bytes.length > 0)
        (ctx.request as { body?: unknown }).body = type === 'json' ? parseJson(bytes) : parseForm(bytes, anyText);
    } catch (cause) {
      throw new SpoqError('invalid_request', { detail: 'The body could not be read as what it says it is.', cause });
    }
    await next();
  };
}

/** What createBodyMiddleware read; an empty object when there was no body. */
export function getBody(ctx: Context): unknown {
  return (ctx.request as { body?: unknown }).body ?? {};
}

/** The bytes of a body. @throws SpoqError `body_too_large`, `request_timeout`, or `invalid_request` for one that breaks off */
export async function readBytes(ctx: Context, options: Omit<BodyOptions, 'anyText'> = {}): Promise<Buffer> {
  const { limit = MAX_BYTES, withinMs = WITHIN_MS } = options;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    // Or its connection would stay, and what still trickles in be taken for the next request.
    ctx.set('Connection', 'close');
    reject(new SpoqError('request_timeout', { detail: `The body took longer than ${withinMs / 1000} seconds.` }));
  }, withinMs);
  try {
    return await Promise.race([getRawBody(ctx.req, { limit, length: ctx.get('Content-Length') || null }), late]);
  } catch (cause) {
    if (cause instanceof SpoqError) throw cause;
    if ((cause as { type?: unknown }).type === 'entity.too.large')
      throw new SpoqError('body_too_large', { detail: `The body is larger than ${limit / 1024} kB.`, cause });
    throw new SpoqError('invalid_request', { detail: 'The body did not arrive whole.', cause });
  } finally {
    clearTimeout(timer);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(bytes: Buffer): object {
  const value: unknown = JSON.parse(UTF8.decode(bytes), (key, part: unknown) => {
    if (key === '__proto__') throw new Error('__proto__ is no field');
    if (key.includes('\0') || (typeof part === 'string' && part.includes('\0'))) throw new Error('NUL in a text');
    return part;
  });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('not an object');
  return value;
}

/**
 * Fields by name. RFC 6749 §3.2: none may be there twice. Unlike URLSearchParams it doesn't guess at what is no percent-encoded
 * UTF-8, unless `anyText`.
 */
function parseForm(bytes: Buffer, anyText: boolean): Record<string, string> {
  if (anyText) return Object.fromEntries(new URLSearchParams(bytes.toString()));
  const fields = new Map<string, string>();
  for (const pair of UTF8.decode(bytes)
    .split('&')
    .filter((one) => one !== '')) {
    const [name = '', ...rest] = pair.split('=').map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
    const value = rest.join('=');
    if (fields.has(name) || name === '__proto__') throw new Error('a field that comes twice, or is none');
    if (`${name}${value}`.includes('\0')) throw new Error('NUL in a text');
    fields.set(name, value);
  }
  return Object.fromEntries(fields);
}
