export interface OpenAIErrorBody {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** A refusal, to be answered in OpenAI's shape: `{"error": {message, type, param, code}}`. */
export class OpenAIError extends Error {
  readonly status: number;
  readonly body: OpenAIErrorBody;
  /** Sent as Retry-After. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    body: { message: string; type?: string; param?: string; code?: string },
    retryAfterSeconds?: number,
  ) {
    super(body.message);
    this.name = 'OpenAIError';
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
    this.body = {
      message: body.message,
      type: body.type ?? 'invalid_request_error',
      param: body.param ?? null,
      code: body.code ?? null,
    };
  }

  toBody(): { error: OpenAIErrorBody } {
    return { error: this.body };
  }
}

const SERVER_FAULTS = {
  overloaded: {
    status: 503,
    message: 'The server is currently overloaded with other requests. Sorry about that! Please retry after a moment.',
    type: 'service_unavailable_error',
    code: 'server_is_overloaded',
  },
  rate_limited: {
    status: 429,
    message: 'Rate limit reached. Please try again later.',
    type: 'requests',
    code: 'rate_limit_exceeded',
  },
  error: {
    status: 500,
    message: 'The server had an error while processing your request. Sorry about that!',
    type: 'server_error',
    code: 'server_error',
  },
} as const;

/** What OpenAI answers, or sends in the middle of a stream, when its side fails or has had enough. */
export function createServerFault(kind: keyof typeof SERVER_FAULTS, retryAfterSeconds?: number): OpenAIError {
  const { status, ...body } = SERVER_FAULTS[kind];
  return new OpenAIError(status, body, retryAfterSeconds);
}
