import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';

/** How a call failed: `refused` by the vendor (4xx), `limited` (429), `broken` (5xx) or `unreachable` (no answer at all). */
export type FailureKind = 'refused' | 'limited' | 'broken' | 'unreachable';

/** A vendor's answer that is not what was asked for. The message holds the vendor's own words and never a request. */
export class VendorError extends Error {
  readonly vendor: string;
  readonly kind: FailureKind;
  readonly status: number | undefined;
  /** Seconds the vendor asked to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    vendor: string,
    kind: FailureKind,
    message: string,
    options: { status?: number; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'VendorError';
    this.vendor = vendor;
    this.kind = kind;
    this.status = options.status;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The same call may succeed later. */
  get retryable(): boolean {
    return this.kind !== 'refused';
  }

  /** The vendor may have acted although no good answer came: look before asking again. */
  get uncertain(): boolean {
    return this.kind === 'broken' || this.kind === 'unreachable';
  }
}

export interface VendorCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  json?: unknown;
  form?: Record<string, string>;
  /** Tries in all; 1 for a call that must not be repeated blindly. */
  tries?: number;
  signal?: AbortSignal;
}

export interface VendorAnswer {
  status: number;
  body: unknown;
}

export interface HttpOptions {
  /** The vendor's name as people know it. */
  vendor: string;
  /** The vendor's words in an error body, if it has any. */
  explain: (body: unknown) => string | undefined;
  /** First wait between tries; doubles with each. */
  backoffMs: number;
  /** Longest wait, also for Retry-After. Contabo and Hostinger publish no rate limits; a minute outlasts usual windows. */
  maxWaitMs?: number;
  timeoutMs?: number;
}

export type VendorHttp = (call: VendorCall) => Promise<VendorAnswer>;

const TRIES = 6;

/**
 * One vendor's HTTP: JSON both ways, 429, 5xx, timeouts and network errors tried again with exponential backoff and full
 * jitter, Retry-After honoured up to `maxWaitMs`; other 4xx never. Throws VendorError, or the signal's reason.
 */
export function createVendorHttp(options: HttpOptions): VendorHttp {
  const { backoffMs, maxWaitMs = 60_000 } = options;
  return async (call) => {
    const tries = call.tries ?? TRIES;
    for (let attempt = 1; ; attempt += 1) {
      call.signal?.throwIfAborted();
      try {
        return await send(options, call);
      } catch (error) {
        call.signal?.throwIfAborted();
        if (!(error instanceof VendorError) || !error.retryable || attempt >= tries) throw error;
        await pause(waitMs(error, attempt, backoffMs, maxWaitMs), call.signal);
      }
    }
  };
}

/** Full jitter (uniform between 0 and the doubled bound) keeps many workers from knocking at once; a told wait is kept whole. */
export function waitMs(error: VendorError, attempt: number, backoffMs: number, maxWaitMs: number): number {
  if (error.retryAfterSeconds !== undefined) return Math.min(error.retryAfterSeconds * 1000, maxWaitMs);
  const bound = Math.min(backoffMs * 2 ** (attempt - 1), maxWaitMs);
  return bound / 2 + (Math.random() * bound) / 2;
}

/** Waits, or throws the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

async function send({ vendor, explain, timeoutMs = 30_000 }: HttpOptions, call: VendorCall): Promise<VendorAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(call.url, {
      method: call.method,
      headers: {
        accept: 'application/json',
        ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...call.headers,
      },
      body: call.json === undefined ? call.form && new URLSearchParams(call.form) : JSON.stringify(call.json),
      redirect: 'error',
      signal: call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]),
    });
    text = await response.text();
  } catch (error) {
    const reason = timeout.aborted ? `did not answer within ${timeoutMs / 1000} s` : 'could not be reached';
    throw new VendorError(vendor, 'unreachable', `${vendor} ${reason}`, { cause: error });
  }
  const body = parseBody(text);
  if (response.ok) return { status: response.status, body };
  const words = explain(body);
  const message = `${vendor} answered ${response.status}${words === undefined ? '' : `: ${words.slice(0, 300)}`}`;
  const kind = response.status === 429 ? 'limited' : response.status >= 500 ? 'broken' : 'refused';
  throw new VendorError(vendor, kind, message, {
    status: response.status,
    retryAfterSeconds: parseRetryAfter(response.headers.get('retry-after')),
  });
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An empty body or a front door's HTML page: there is nothing in it for us.
    return undefined;
  }
}

/** The answer's body in the shape that was expected; anything else means that nobody knows what the vendor did. */
export function parseAnswer<T>(vendor: string, schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = [...new Set(result.error.issues.map((issue) => issue.path.join('.') || 'body'))];
  throw new VendorError(vendor, 'broken', `${vendor} answered something unexpected (${fields.join(', ')})`);
}

/** Seconds of a Retry-After header: a number or an HTTP date (RFC 9110 §10.2.3). */
export function parseRetryAfter(value: string | null, now = Date.now()): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000);
}
