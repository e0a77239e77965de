import { inventHex } from '../keys.ts';
import type { GithubState } from './state.ts';

/** GitHub's codes live ten minutes and are good once. */
const CODE_MS = 10 * 60_000;

/** What a client asks for at /login/oauth/authorize. */
export interface AuthorizeRequest {
  client_id: string;
  redirect_uri: string | null;
  scope: string;
  state: string | null;
  code_challenge: string | null;
  code_challenge_method: string | null;
  login: string | null;
}

export function readAuthorizeRequest(query: URLSearchParams): AuthorizeRequest {
  return {
    client_id: query.get('client_id') ?? '',
    redirect_uri: query.get('redirect_uri'),
    scope: query.get('scope') ?? '',
    state: query.get('state'),
    code_challenge: query.get('code_challenge'),
    code_challenge_method: query.get('code_challenge_method'),
    login: query.get('login'),
  };
}

/**
 * Whether a redirect_uri is one that the app registered: loopback addresses on any port, as GitHub allows, and what was
 * registered with the sandbox, or anything below it.
 */
export function isRegisteredCallback(state: GithubState, uri: string): boolean {
  const url = URL.parse(uri);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.hash !== '') return false;
  if (/^(?:localhost|[a-z\d.-]+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)) return true;
  return state.callbacks.some((callback) => {
    const registered = URL.parse(callback);
    return (
      registered?.origin === url.origin && `${url.pathname}/`.startsWith(`${registered.pathname.replace(/\/$/, '')}/`)
    );
  });
}

/** What is wrong with a request that can be told to the client; undefined when nothing is. */
export function findFault(request: AuthorizeRequest): { error: string; description: string } | undefined {
  if (request.code_challenge === null && request.code_challenge_method === null) return undefined;
  if (request.code_challenge_method !== 'S256') {
    return { error: 'invalid_request', description: 'The code_challenge_method must be S256.' };
  }
  if (!/^[\w-]{43}$/.test(request.code_challenge ?? '')) {
    return { error: 'invalid_request', description: 'The code_challenge must be the base64url of a SHA-256 digest.' };
  }
  return undefined;
}

/** Makes a code for a person who allowed it. */
export function issueCode(state: GithubState, request: AuthorizeRequest, person: number, now: number): string {
  for (const [code, { expires_at: end }] of Object.entries(state.codes)) if (end <= now) delete state.codes[code];
  const code = inventHex(20);
  state.codes[code] = {
    client_id: request.client_id,
    person,
    scope: request.scope,
    redirect_uri: request.redirect_uri,
    code_challenge: request.code_challenge,
    expires_at: now + CODE_MS,
  };
  return code;
}

/** Where the browser goes: the client's address with an answer, and the state it gave. */
export function createAnswerUrl(request: AuthorizeRequest, answer: Record<string, string>): string {
  const url = new URL(request.redirect_uri ?? '');
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  if (request.state !== null) url.searchParams.set('state', request.state);
  return url.href;
}
