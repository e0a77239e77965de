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

  constructor(status: number, body: { message: string; type?: string; param?: string; code?: string }) {
    super(body.message);
    this.name = 'OpenAIError';
    this.status = status;
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

/** What OpenAI answers, or sends in the middle of a stream, when its side fails. */
export function createServerFault(fault: 'error' | 'overloaded'): OpenAIError {
  return fault === 'overloaded'
    ? new OpenAIError(503, {
        message:
          'The server is currently overloaded with other requests. Sorry about that! Please retry after a moment.',
        type: 'service_unavailable_error',
        code: 'server_is_overloaded',
      })
    : new OpenAIError(500, {
        message: 'The server had an error while processing your request. Sorry about that!',
        type: 'server_error',
        code: 'server_error',
      });
}
