import type { Middleware } from 'koa';
import { getRawBody } from 'raw-body';

/** What `ctx.state` holds when a vendor's routes run. */
export interface RequestState {
  /** The body's bytes as they came: what signatures are made over. Empty when there was none. */
  rawBody: Buffer;
  /** Parsed by content type: JSON's value, or URLSearchParams of a form. undefined for none, other types or bad JSON. */
  body: unknown;
  /** Why JSON couldn't be parsed, for the vendor to answer in its own shape. */
  bodyFault?: string;
  /** A fault's wish for what the call makes: see Fault.becomes. */
  becomes?: string;
}

/** No vendor takes more; Anthropic's limit of 32 MB is the largest. */
const BODY_LIMIT = '32mb';

/** Reads the whole body before a vendor's routes run. */
export const parseBody: Middleware<RequestState> = async (ctx, next) => {
  const raw = await getRawBody(ctx.req, { length: ctx.request.headers['content-length'], limit: BODY_LIMIT });
  ctx.state.rawBody = raw;
  ctx.state.body = undefined;
  if (raw.length > 0 && ctx.is('application/json', '+json')) {
    try {
      ctx.state.body = JSON.parse(raw.toString('utf8'));
    } catch (error) {
      ctx.state.bodyFault = error instanceof Error ? error.message : String(error);
    }
  } else if (raw.length > 0 && ctx.is('urlencoded')) {
    ctx.state.body = new URLSearchParams(raw.toString('utf8'));
  }
  await next();
};
