/** One reason of a refusal, with Cloudflare's number for it. */
export interface Reason {
  code: number;
  message: string;
  /** JSON pointer to the field at fault. */
  pointer?: string;
}

/** A refusal in Cloudflare's envelope. */
export class CloudflareError extends Error {
  readonly status: number;
  readonly reasons: Reason[];

  constructor(status: number, ...reasons: Reason[]) {
    super(reasons.map(({ message }) => message).join('; '));
    this.status = status;
    this.reasons = reasons;
  }

  toBody(): Record<string, unknown> {
    const errors = this.reasons.map(({ code, message, pointer }) => ({
      code,
      message,
      ...(pointer === undefined ? {} : { source: { pointer } }),
    }));
    return { result: null, success: false, errors, messages: [] };
  }
}
