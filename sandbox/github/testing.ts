import * as oauth from 'oauth4webapi';
import type { RunningVendor } from '../run-vendor.ts';

export const REDIRECT_URI = 'http://127.0.0.1:9/auth/callback';

/** One sign-in by the library that the control plane uses, step by step. */
export interface SignIn {
  state: string;
  verifier: string;
  url: URL;
  /** Answers the authorize page's form and follows to the address that the browser is sent to. */
  choose(form: Record<string, string>): Promise<URL>;
  /** Redeems the answer, and gives the token endpoint's response. */
  redeem(
    callback: URL,
    changes?: { verifier?: string; redirectUri?: string; secret?: string; headers?: Headers },
  ): Promise<Response>;
}

export async function beginSignIn(running: RunningVendor, changes: Record<string, string> = {}): Promise<SignIn> {
  const id = running.vendor.credentials['GITHUB_CLIENT_ID'] ?? '';
  const secret = running.vendor.credentials['GITHUB_CLIENT_SECRET'] ?? '';
  const server: oauth.AuthorizationServer = {
    issuer: running.url,
    token_endpoint: `${running.url}/login/oauth/access_token`,
  };
  const client: oauth.Client = { client_id: id };
  const [state, verifier] = [oauth.generateRandomState(), oauth.generateRandomCodeVerifier()];
  const url = new URL(`${running.url}/login/oauth/authorize`);
  url.search = new URLSearchParams({
    client_id: id,
    redirect_uri: REDIRECT_URI,
    scope: 'user:email',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...changes,
  }).toString();
  return {
    state,
    verifier,
    url,
    async choose(form) {
      const answer = await fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams(form) });
      return new URL(answer.headers.get('location') ?? `status:${answer.status}`);
    },
    redeem: (callback, wrong = {}) =>
      oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.ClientSecretPost(wrong.secret ?? secret),
        oauth.validateAuthResponse(server, client, callback, state),
        wrong.redirectUri ?? REDIRECT_URI,
        wrong.verifier ?? verifier,
        { [oauth.allowInsecureRequests]: true, headers: wrong.headers ?? new Headers({ accept: 'application/json' }) },
      ),
  };
}

/** Signs somebody in whole and answers the access token. */
export async function signIn(running: RunningVendor, login: string, scope = 'user:email'): Promise<string> {
  const attempt = await beginSignIn(running, { scope });
  const response = await attempt.redeem(await attempt.choose({ login }));
  return ((await response.json()) as { access_token: string }).access_token;
}
