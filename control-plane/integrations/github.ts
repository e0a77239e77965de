import * as oauth from 'oauth4webapi';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { Config } from '../config.ts';

/** GitHub's account of a person. */
export interface GithubPerson {
  /** The numeric id, as text. The login can change and be taken by somebody else; this can't. */
  github_id: string;
  username: string;
  email: string | null;
  avatar_url: string | null;
}

/** One sign-in as it was begun in a browser; kept in its session until GitHub sends the person back. */
export interface SignInAttempt {
  state: string;
  verifier: string;
}

export interface Github {
  /** Where to send the person (PKCE S256). */
  begin(): Promise<{ url: string; attempt: SignInAttempt }>;
  /**
   * Redeems what GitHub sent to the callback and asks who it is. The access token is used for that alone and forgotten.
   * @throws SpoqError `sign_in_denied`, `sign_in_failed`, `upstream_failed`, `upstream_refused`
   */
  finish(callback: URLSearchParams, attempt: SignInAttempt): Promise<GithubPerson>;
}

type GithubConfig = Pick<
  Config,
  'GITHUB_URL' | 'GITHUB_API_URL' | 'GITHUB_CLIENT_ID' | 'GITHUB_CLIENT_SECRET' | 'GITHUB_REDIRECT_URI'
>;

const User = z.object({
  id: z.number().int().positive(),
  login: z.string().min(1),
  email: z.string().nullish(),
  avatar_url: z.url({ protocol: /^https?$/ }).nullish(),
});
const Emails = z.array(z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }));

const INCOMPLETE = 'What came back from GitHub was not complete. You are not signed in.';

/** @param timeoutMs of each request to GitHub: a person is waiting */
export function createGithub(config: GithubConfig, timeoutMs = 10_000): Github {
  const server: oauth.AuthorizationServer = {
    issuer: config.GITHUB_URL,
    authorization_endpoint: `${config.GITHUB_URL}/login/oauth/authorize`,
    token_endpoint: `${config.GITHUB_URL}/login/oauth/access_token`,
  };
  const client: oauth.Client = { client_id: config.GITHUB_CLIENT_ID };

  /** Branded by the library, which redeems no others. */
  function parseCallback(callback: URLSearchParams, attempt: SignInAttempt): URLSearchParams {
    try {
      const parameters = oauth.validateAuthResponse(server, client, callback, attempt.state);
      if (callback.has('code')) return parameters;
    } catch (cause) {
      if (cause instanceof oauth.AuthorizationResponseError) throw explainDenial(cause);
      throw new SpoqError('sign_in_failed', { detail: INCOMPLETE, cause });
    }
    throw new SpoqError('sign_in_failed', { detail: INCOMPLETE });
  }

  async function redeem(callback: URLSearchParams, attempt: SignInAttempt): Promise<string> {
    const parameters = parseCallback(callback, attempt);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.ClientSecretPost(config.GITHUB_CLIENT_SECRET.reveal()),
      parameters,
      config.GITHUB_REDIRECT_URI,
      attempt.verifier,
      {
        // Only the sandbox is on plain http: loadConfig refuses it in production.
        [oauth.allowInsecureRequests]: config.GITHUB_URL.startsWith('http://'),
        headers: new Headers({ accept: 'application/json' }),
        signal: () => AbortSignal.timeout(timeoutMs),
      },
    );
    await refuseErrorBody(response);
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response);
    return tokens.access_token;
  }

  async function read<T>(path: string, token: string, schema: z.ZodType<T>): Promise<T> {
    const response = await fetch(`${config.GITHUB_API_URL}${path}`, {
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        'user-agent': 'spoq',
        'x-github-api-version': '2022-11-28',
      },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`GET ${path} of GitHub's API answered ${response.status}`);
    }
    return schema.parse(await response.json());
  }

  return {
    async begin() {
      const attempt = { state: oauth.generateRandomState(), verifier: oauth.generateRandomCodeVerifier() };
      const url = new URL(`${config.GITHUB_URL}/login/oauth/authorize`);
      url.search = new URLSearchParams({
        client_id: config.GITHUB_CLIENT_ID,
        redirect_uri: config.GITHUB_REDIRECT_URI,
        scope: 'user:email',
        state: attempt.state,
        code_challenge: await oauth.calculatePKCECodeChallenge(attempt.verifier),
        code_challenge_method: 'S256',
      }).toString();
      return { url: url.href, attempt };
    },

    async finish(callback, attempt) {
      try {
        const token = await redeem(callback, attempt);
        const user = await read('/user', token, User);
        const emails = user.email == null ? await read('/user/emails', token, Emails) : [];
        const email = user.email ?? emails.find((one) => one.primary && one.verified)?.email ?? null;
        return { github_id: String(user.id), username: user.login, email, avatar_url: user.avatar_url ?? null };
      } catch (thrown) {
        throw explain(thrown);
      }
    },
  };
}

/** GitHub answers 200 to a code it doesn't take, with the error in the body; the library only looks at other statuses. */
async function refuseErrorBody(response: Response): Promise<void> {
  if (response.status !== 200) return;
  const body: unknown = await response.clone().json();
  const error = z.object({ error: z.string() }).safeParse(body);
  if (error.success) throw new GithubRefusal(error.data.error);
}

class GithubRefusal extends Error {
  readonly error: string;
  constructor(error: string) {
    super(`GitHub refused the code: ${error}`);
    this.name = 'GithubRefusal';
    this.error = error;
  }
}

/** What went wrong, in words for the person who tried to sign in. */
function explain(cause: unknown): SpoqError {
  if (cause instanceof SpoqError) return cause;
  if (cause instanceof GithubRefusal || cause instanceof oauth.ResponseBodyError) {
    if (cause.error === 'bad_verification_code')
      return new SpoqError('sign_in_failed', {
        detail: "GitHub's code was used before or is too old. You are not signed in.",
        cause,
      });
    if (cause.error === 'unverified_user_email')
      return new SpoqError('sign_in_failed', {
        detail: 'GitHub has no verified email address of yours. You are not signed in.',
        next: 'Verify your address in the settings of GitHub, then sign in again.',
        cause,
      });
    return new SpoqError('upstream_refused', { detail: 'GitHub did not accept our part of the sign-in.', cause });
  }
  return new SpoqError('upstream_failed', {
    detail: 'GitHub did not answer as it should. You are not signed in; nothing was changed.',
    cause,
  });
}

function explainDenial(cause: oauth.AuthorizationResponseError): SpoqError {
  if (cause.error === 'access_denied')
    return new SpoqError('sign_in_denied', {
      detail: 'You did not allow Spoq to see who you are on GitHub. You are not signed in.',
      next: 'Sign in again and choose to allow it.',
      cause,
    });
  return new SpoqError('upstream_refused', { detail: 'GitHub refused to begin the sign-in.', cause });
}
