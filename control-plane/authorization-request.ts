import { CodeRequest } from '../contract/auth.ts';
import { parseInput } from '../contract/problem.ts';
import { dropEmpty } from './drop-empty.ts';

/** Where the answer goes. Only ever made from a redirect_uri that is allowed. */
export type ReturnAddress = Pick<CodeRequest, 'redirect_uri' | 'state'>;

/** What a program is told instead of a code (RFC 6749 §4.1.2.1). */
export interface CodeRefusal {
  error: 'invalid_request' | 'unsupported_response_type' | 'access_denied';
  error_description: string;
}

export type ParsedCodeRequest =
  | { ok: true; request: CodeRequest }
  | { ok: false; returnTo: ReturnAddress; refusal: CodeRefusal };

const Addressee = CodeRequest.pick({ client_id: true, redirect_uri: true });

/**
 * Reads a request for an authorization code. Who it comes from and where the answer goes are checked first, and a fault there is
 * told to the person; any other fault goes to the program (RFC 6749 §4.1.2.1).
 * @throws SpoqError `invalid_request` for another client or redirect_uri: nothing may be sent there
 */
export function parseCodeRequest(parameters: object): ParsedCodeRequest {
  const values = dropEmpty(parameters);
  const { redirect_uri: redirectUri } = parseInput(Addressee, values);
  const parsed = CodeRequest.safeParse(values);
  if (parsed.success) return { ok: true, request: parsed.data };
  const fields = parsed.error.issues.map((issue) => issue.path.join('.'));
  const state = CodeRequest.shape.state.safeParse((values as { state?: unknown }).state);
  const isOtherType = (values as { response_type?: unknown }).response_type !== undefined;
  const refusal: CodeRefusal =
    fields.includes('response_type') && isOtherType
      ? { error: 'unsupported_response_type', error_description: 'Only code is answered.' }
      : { error: 'invalid_request', error_description: `Missing or wrong: ${fields.join(', ')}` };
  return { ok: false, returnTo: { redirect_uri: redirectUri, state: state.data }, refusal };
}

/** The address to send the browser back to: with `state` as it came, and with `iss`, so that answers of two servers can't be mixed up (RFC 9207). */
export function buildReturnUrl(
  { redirect_uri: redirectUri, state }: ReturnAddress,
  issuer: string,
  answer: { code: string } | CodeRefusal,
): string {
  const url = new URL(redirectUri);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  if (state !== undefined) url.searchParams.set('state', state);
  url.searchParams.set('iss', issuer);
  return url.href;
}
