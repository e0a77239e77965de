/** Anthropic's error types with their HTTP statuses. */
const STATUSES = {
  invalid_request_error: 400,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  overloaded_error: 529,
} as const;

export type AnthropicErrorType = keyof typeof STATUSES;

/** A refusal, to be answered in Anthropic's shape. */
export class AnthropicError extends Error {
  readonly type: AnthropicErrorType;
  readonly status: number;

  /** Sent as Retry-After. */
  readonly retryAfterSeconds: number | undefined;

  constructor(type: AnthropicErrorType, message: string, retryAfterSeconds?: number) {
    super(message);
    this.name = 'AnthropicError';
    this.type = type;
    this.status = STATUSES[type];
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** The body, as JSON answers and `error` events carry it. */
  toBody(requestId: string): { type: 'error'; error: { type: string; message: string }; request_id: string } {
    return { type: 'error', error: { type: this.type, message: this.message }, request_id: requestId };
  }
}

/** What Anthropic answers, or sends as an `error` event, when its side fails. */
export function createServerFault(
  kind: 'error' | 'overloaded' | 'rate_limited',
  retryAfterSeconds?: number,
): AnthropicError {
  switch (kind) {
    case 'overloaded':
      return new AnthropicError('overloaded_error', 'Overloaded', retryAfterSeconds);
    case 'rate_limited':
      return new AnthropicError('rate_limit_error', 'This request would exceed your rate limit.', retryAfterSeconds);
    case 'error':
      return new AnthropicError('api_error', 'Internal server error', retryAfterSeconds);
  }
}
