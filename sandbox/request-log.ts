import type { ServerResponse } from 'node:http';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { RequestState } from './parse-body.ts';
import { redactBody, redactHeaders } from './redact.ts';
import type { VendorName } from './vendor.ts';

/** One request to a vendor and what it answered. `status` 0: the connection was cut before an answer. */
export interface RequestEntry {
  id: number;
  at: string;
  vendor: VendorName;
  method: string;
  path: string;
  query: Record<string, string | string[] | undefined>;
  /** Credentials replaced by `[redacted by the sandbox]`. */
  request_headers: Record<string, string | string[] | undefined>;
  /** Whole, as text; only fields that carry a credential of the call itself are redacted. */
  request_body: string;
  status: number;
  /** The first RESPONSE_LIMIT bytes, streamed or not. */
  response_body: string;
  ms: number;
  /** The fault that struck, by its id. */
  fault?: string;
}

/** How many entries a vendor keeps, and how many characters of bodies: a question to a model can be 4 MB long. */
export const RING = 2000;
export const RING_CHARS = 64 * 1024 * 1024;
const RESPONSE_LIMIT = 256 * 1024;

export interface RequestLog {
  add(entry: Omit<RequestEntry, 'id'>): RequestEntry;
  /** Oldest first; `since` leaves out entries up to that id. */
  list(filter?: { vendor?: VendorName; since?: number }): RequestEntry[];
  clear(): void;
}

/** A ring per vendor, so that a chatty one can't push out what another was asked. */
export function createRequestLog(): RequestLog {
  const rings = new Map<VendorName, { entries: RequestEntry[]; chars: number }>();
  let last = 0;
  return {
    add(fields) {
      last += 1;
      const entry = { id: last, ...fields };
      const ring = rings.get(entry.vendor) ?? { entries: [], chars: 0 };
      ring.entries.push(entry);
      ring.chars += countChars(entry);
      while (ring.entries.length > RING || (ring.chars > RING_CHARS && ring.entries.length > 1)) {
        const oldest = ring.entries.shift();
        if (oldest) ring.chars -= countChars(oldest);
      }
      rings.set(entry.vendor, ring);
      return entry;
    },
    list({ vendor, since = 0 } = {}) {
      const wanted = vendor ? [rings.get(vendor)] : [...rings.values()];
      const entries = wanted.flatMap((ring) => ring?.entries ?? []);
      return entries.filter((entry) => entry.id > since).sort((a, b) => a.id - b.id);
    },
    clear: () => rings.clear(),
  };
}

function countChars({ request_body, response_body }: RequestEntry): number {
  return request_body.length + response_body.length;
}

/** Records each request when its answer ended or its connection closed, whichever comes first. */
export function recordRequests(deps: {
  name: VendorName;
  requests: RequestLog;
  log: Logger;
}): Middleware<RequestState> {
  return async (ctx, next) => {
    const started = performance.now();
    const at = new Date().toISOString();
    const answered = captureResponse(ctx.res);
    let fault: string | undefined;
    ctx.res.once('fault', (id: string) => {
      fault = id;
    });
    ctx.res.once('close', () => {
      const entry = deps.requests.add({
        at,
        vendor: deps.name,
        method: ctx.method,
        path: ctx.path,
        query: { ...ctx.query },
        request_headers: redactHeaders(ctx.headers),
        request_body: redactBody(deps.name, ctx.state.rawBody?.toString('utf8') ?? ''),
        status: ctx.res.headersSent ? ctx.res.statusCode : 0,
        response_body: redactBody(deps.name, answered()),
        ms: Math.round(performance.now() - started),
        ...(fault === undefined ? {} : { fault }),
      });
      const { id, vendor, method, path, status, ms } = entry;
      deps.log.debug({ id, vendor, method, path, status, ms }, 'request');
    });
    await next();
  };
}

/** Keeps a copy of what is written, up to the limit; answers a function that reads it. */
function captureResponse(res: ServerResponse): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  const keep = (chunk: unknown): void => {
    if (size >= RESPONSE_LIMIT || !(typeof chunk === 'string' || chunk instanceof Uint8Array)) return;
    const bytes = Buffer.from(chunk).subarray(0, RESPONSE_LIMIT - size);
    chunks.push(bytes);
    size += bytes.length;
  };
  const write = res.write.bind(res) as (...args: unknown[]) => boolean;
  const end = res.end.bind(res) as (...args: unknown[]) => typeof res;
  res.write = ((...args: unknown[]) => {
    keep(args[0]);
    return write(...args);
  }) as typeof res.write;
  res.end = ((...args: unknown[]) => {
    keep(args[0]);
    return end(...args);
  }) as typeof res.end;
  return () => Buffer.concat(chunks).toString('utf8');
}
