import { APICallError } from 'ai';
import { SpoqError } from '../../contract/errors.ts';
import type { Model } from './create-model.ts';

/** A failed model call: what the person is told, and whether asking again by itself makes sense. */
export interface ModelFailure {
  error: SpoqError;
  retryable: boolean;
  /** No answer of the provider at all: the network, or its name, is gone. */
  unreached?: boolean;
  /** Overloaded, limited or out of reach: another model may answer. */
  elsewhere: boolean;
  /** The provider didn't accept the key. */
  keyRefused?: boolean;
  /** The provider may charge for it: it had begun to answer, or kept silent. What it refused, and what never reached it, costs nothing. */
  charged: boolean;
}

/** What providers say about a failure, before or within a stream. */
interface Upstream {
  status: number | undefined;
  message: string;
  code: string;
  headers: Record<string, string>;
}

const MAX_MESSAGE = 300;
/** Of getaddrinfo. bun throws them as they are, and the AI SDK doesn't take them for failures of the network. */
const NAME_FAILURES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ENODATA', 'ESERVFAIL']);

/**
 * Turns whatever a model call threw into one failure. An error that we made ourselves (a time-out, a stop) passes as it
 * is. The cause is not kept: it would carry the whole question along.
 */
export function describeFailure(error: unknown, model: Model): ModelFailure {
  if (error instanceof SpoqError) return { error, retryable: false, elsewhere: false, charged: true };
  // Anything else than this comes out of an answer that had begun.
  const charged = !APICallError.isInstance(error) && !isNameless(error);
  return { charged, ...describeUpstream(error, model) };
}

function describeUpstream(error: unknown, model: Model): Omit<ModelFailure, 'charged'> {
  const upstream = readUpstream(error);
  const { status } = upstream;
  if (status === undefined) {
    const nameless = isNameless(error);
    const unreached = nameless || (APICallError.isInstance(error) && error.statusCode === undefined);
    const why = nameless ? ': its name could not be looked up' : '';
    const detail = unreached
      ? `The model provider could not be reached${why}.`
      : 'The answer of the model provider broke off.';
    return { error: new SpoqError('model_failed', { detail }), retryable: true, unreached, elsewhere: unreached };
  }
  if (/insufficient_quota|billing/.test(upstream.code)) {
    const detail = 'The account of the model key has no credit left.';
    return {
      error: new SpoqError('model_refused', { detail, next: 'Add credit to the model account.' }),
      retryable: false,
      elsewhere: false,
    };
  }
  if (status === 429 || status === 529 || status === 503) {
    const retryAfterSeconds = readRetryAfter(upstream.headers);
    const code = status === 429 ? 'model_rate_limited' : 'model_overloaded';
    return { error: new SpoqError(code, { retryAfterSeconds }), retryable: true, elsewhere: true };
  }
  if (status === 408 || status === 504)
    return { error: new SpoqError('model_timeout'), retryable: true, elsewhere: false };
  if (status >= 500) {
    return {
      error: new SpoqError('model_failed', { detail: `The model provider answered ${status}.` }),
      retryable: true,
      elsewhere: false,
    };
  }
  return {
    error: describeRefusal(status, upstream, model),
    retryable: false,
    elsewhere: false,
    keyRefused: status === 401,
  };
}

function isNameless(error: unknown): boolean {
  return NAME_FAILURES.has(asText(asRecord(error)['code']));
}

function describeRefusal(status: number, upstream: Upstream, model: Model): SpoqError {
  // 401 and 403 repeat parts of the key in some providers' words, so these are ours.
  if (status === 401) return new SpoqError('model_refused', { detail: 'The model provider did not accept the key.' });
  if (status === 403) return new SpoqError('model_refused', { detail: `The key may not use the model ${model.id}.` });
  if (status === 404) return new SpoqError('model_refused', { detail: `The model provider has no model ${model.id}.` });
  const said = cleanMessage(upstream.message, model.apiKey);
  return new SpoqError('model_refused', {
    detail: `The model provider answered ${status}${said === '' ? '.' : `: ${said}`}`,
    next: 'Ask something shorter, with fewer files.',
  });
}

/** Status errors come as APICallError; errors within a stream as objects with a `statusCode` that the provider package derives. */
function readUpstream(error: unknown): Upstream {
  const record = asRecord(error);
  const body = asRecord(record['data'] ?? readJson(record['responseBody']));
  const inner = asRecord(body['error'] ?? asRecord(body['response'])['error']);
  return {
    status: readStatus(record['statusCode']),
    message: asText(inner['message']) || asText(record['message']),
    code: [inner['code'], inner['type'], record['code'], record['type']].map(asText).join(' '),
    headers: asRecord(record['responseHeaders']) as Record<string, string>,
  };
}

/** A status that tells a failure: an answer of 200 that couldn't be read is an error of status 200 to the AI SDK. */
function readStatus(status: unknown): number | undefined {
  return typeof status === 'number' && status >= 400 ? status : undefined;
}

/** Seconds (RFC 9110 §10.2.3: a number or a date). Undefined when the provider doesn't say. */
function readRetryAfter(headers: Record<string, string>): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function cleanMessage(message: string, apiKey: string): string {
  // A provider's words end up on a terminal, where control characters act.
  return message
    .replaceAll(apiKey, '[key]')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_MESSAGE);
}

function readJson(text: unknown): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : undefined;
  } catch {
    return undefined; // An HTML page of a proxy: the status says enough.
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
