import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Context, Middleware } from 'koa';
import type { Faults } from './faults.ts';
import type { RequestState } from './parse-body.ts';
import type { VendorName } from './vendor.ts';

/** Lets the fault that a request meets strike, before or after the vendor's routes. */
export function injectFaults(deps: { name: VendorName; faults: Faults }): Middleware<RequestState> {
  return async (ctx, next) => {
    const fault = deps.faults.take(deps.name, ctx.method, ctx.path);
    if (!fault) return next();
    ctx.res.emit('fault', fault.id);
    ctx.state.becomes = fault.becomes;
    if (fault.delay_ms !== undefined) await sleep(fault.delay_ms, undefined, { ref: false });
    if (fault.cut === 'before') return cut(ctx);
    if (fault.cut === 'during') cutAfterFirstChunk(ctx.res);
    if (fault.status === undefined) await next();
    else {
      ctx.status = fault.status;
      if (fault.headers) ctx.set(fault.headers);
      if (fault.body !== undefined) ctx.body = typeof fault.body === 'object' ? JSON.stringify(fault.body) : fault.body;
      if (typeof fault.body === 'object') ctx.type = 'application/json';
    }
    if (fault.hold_ms !== undefined) await sleep(fault.hold_ms, undefined, { ref: false });
    if (fault.cut === 'after') cut(ctx);
  };
}

function cut(ctx: Context): void {
  ctx.respond = false;
  ctx.req.socket.destroy();
}

function cutAfterFirstChunk(res: ServerResponse): void {
  const destroySoon = (): void => void setImmediate(() => res.destroy());
  const write = res.write.bind(res) as (...args: unknown[]) => boolean;
  res.write = ((...args: unknown[]) => {
    const result = write(...args);
    destroySoon();
    return result;
  }) as typeof res.write;
  // An answer given whole is one chunk: send its first half, so that the reader sees it break.
  res.end = ((chunk: unknown) => {
    const bytes = Buffer.from(typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk : '');
    write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
    destroySoon();
    return res;
  }) as typeof res.end;
}
