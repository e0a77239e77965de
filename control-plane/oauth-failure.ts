import type { OAuthError } from '../contract/auth.ts';

/** A refusal of an OAuth endpoint (RFC 6749 §5.2, RFC 8628 §3.5): expected, answered with 400, or 401 to a client that tried to authenticate. */
export class OAuthFailure extends Error {
  readonly code: OAuthError['error'];
  constructor(code: OAuthError['error'], description: string) {
    super(description);
    this.name = 'OAuthFailure';
    this.code = code;
  }
}
