import { createHash, timingSafeEqual } from 'node:crypto';
import { inventKey } from '../keys.ts';
import type { Code, GithubState } from './state.ts';

const TROUBLES =
  'https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/#';

const DESCRIPTIONS = {
  incorrect_client_credentials: 'The client_id and/or client_secret passed are incorrect.',
  redirect_uri_mismatch: 'The redirect_uri MUST match the registered callback URL for this application.',
  bad_verification_code: 'The code passed is incorrect or expired.',
  unverified_user_email: 'The user must have a verified primary email.',
} as const;

export interface TokenRequest {
  client_id: string;
  client_secret: string;
  code: string;
  redirect_uri: string | null;
  code_verifier: string | null;
}

export type TokenAnswer = Record<string, string>;

/** Redeems a code, once. GitHub answers faults with status 200 too, told by the field `error`. */
export function redeemCode(state: GithubState, request: TokenRequest, now: number): TokenAnswer {
  if (request.client_id !== state.client_id || !isSame(request.client_secret, state.client_secret)) {
    return refuse('incorrect_client_credentials');
  }
  const code = state.codes[request.code];
  delete state.codes[request.code];
  if (code === undefined || code.expires_at <= now || code.client_id !== request.client_id) {
    return refuse('bad_verification_code');
  }
  if (request.redirect_uri !== null && request.redirect_uri !== code.redirect_uri)
    return refuse('redirect_uri_mismatch');
  if (!isVerified(code, request.code_verifier)) return refuse('bad_verification_code');
  const person = state.people.find((one) => one.id === code.person);
  if (!person?.emails.some((one) => one.primary && one.verified)) return refuse('unverified_user_email');
  const token = inventKey('gho_', 36);
  // GitHub gives scopes back in its own order, without repetition, and separated by commas.
  const scope = [...new Set(code.scope.split(/[\s,]+/).filter((one) => one !== ''))].sort().join(',');
  state.tokens[token] = { person: code.person, scope };
  return { access_token: token, token_type: 'bearer', scope };
}

/** RFC 7636 §4.6, S256. A verifier without a challenge is passed over, as clients without PKCE send none. */
function isVerified({ code_challenge: challenge }: Code, verifier: string | null): boolean {
  if (challenge === null) return true;
  return verifier !== null && isSame(createHash('sha256').update(verifier).digest('base64url'), challenge);
}

function refuse(error: keyof typeof DESCRIPTIONS): TokenAnswer {
  return { error, error_description: DESCRIPTIONS[error], error_uri: TROUBLES + error.replaceAll('_', '-') };
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Reads a token request: fields in a form, JSON or the query, the client perhaps by Basic (RFC 6749 §2.3.1). */
export function readTokenRequest(body: unknown, query: URLSearchParams, authorization: string): TokenRequest {
  const fields = new URLSearchParams(query);
  const given =
    body instanceof URLSearchParams ? [...body] : Object.entries(typeof body === 'object' && body !== null ? body : {});
  for (const [name, value] of given) if (typeof value === 'string') fields.set(name, value);
  const basic = /^Basic +(\S+)$/i.exec(authorization)?.[1];
  if (basic !== undefined) {
    const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    fields.set('client_id', decodeForm(id));
    fields.set('client_secret', decodeForm(secret));
  }
  return {
    client_id: fields.get('client_id') ?? '',
    client_secret: fields.get('client_secret') ?? '',
    code: fields.get('code') ?? '',
    redirect_uri: fields.get('redirect_uri'),
    code_verifier: fields.get('code_verifier'),
  };
}

/** Basic credentials of OAuth are form-encoded first. */
function decodeForm(text: string): string {
  return new URLSearchParams(`v=${text}`).get('v') ?? text;
}
