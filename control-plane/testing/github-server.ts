import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';

/** What a GitHub for tests does next; everything can be changed between two requests. */
export interface GithubScript {
  person: { id: number; login: string; email: string | null; avatar_url: string };
  emails: { email: string; primary: boolean; verified: boolean }[];
  /** Answers instead of the right one, by path. `hang`: never. */
  faults: Record<string, { status: number; body: string; type?: string } | 'hang' | 'cut'>;
}

export interface GithubServer {
  url: string;
  script: GithubScript;
  /** Paths in the order they were asked for. */
  requests: { path: string; authorization: string | undefined; body: string }[];
  /** What a person's click on "Authorize" (or "Cancel") answers: the address of our callback. */
  decide(authorizeUrl: string, decision?: 'allow' | 'deny'): string;
  close(): Promise<void>;
}

export const GITHUB_CLIENT = { id: 'Iv1.test', secret: 'github-client-secret' };

/** GitHub's sign-in over real HTTP: codes are used once, bound to redirect_uri and PKCE challenge; errors come with 200. */
export async function createGithubServer(): Promise<GithubServer> {
  const codes = new Map<string, { challenge: string; redirectUri: string }>();
  const script: GithubScript = {
    person: { id: 583231, login: 'octocat', email: null, avatar_url: 'https://avatars.example/u/583231' },
    emails: [
      { email: 'old@example.com', primary: false, verified: true },
      { email: 'octocat@example.com', primary: true, verified: true },
    ],
    faults: {},
  };
  const requests: GithubServer['requests'] = [];

  const redeem = (form: URLSearchParams): object => {
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    if (form.get('client_id') !== GITHUB_CLIENT.id || form.get('client_secret') !== GITHUB_CLIENT.secret)
      return refusal('incorrect_client_credentials');
    if (code === undefined) return refusal('bad_verification_code');
    if (form.get('redirect_uri') !== code.redirectUri) return refusal('redirect_uri_mismatch');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (challenge !== code.challenge) return refusal('bad_verification_code');
    return { access_token: 'gho_test', scope: 'user:email', token_type: 'bearer' };
  };

  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const path = new URL(req.url ?? '/', 'http://github').pathname;
    const body = await text(req);
    requests.push({ path, authorization: req.headers.authorization, body });
    const fault = script.faults[path];
    if (fault === 'hang') return;
    if (fault === 'cut') return void req.socket.destroy();
    if (fault !== undefined) {
      res.writeHead(fault.status, { 'content-type': fault.type ?? 'application/json' }).end(fault.body);
      return;
    }
    const send = (status: number, value: unknown) =>
      res.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
    if (path === '/login/oauth/access_token') send(200, redeem(new URLSearchParams(body)));
    else if (req.headers.authorization !== 'Bearer gho_test') send(401, { message: 'Bad credentials' });
    else if (path === '/user') send(200, script.person);
    else if (path === '/user/emails') send(200, script.emails);
    else send(404, { message: 'Not Found' });
  };
  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  const { url } = await listenOnFreePort(server);
  return {
    url,
    script,
    requests,
    decide(authorizeUrl, decision = 'allow') {
      const asked = new URL(authorizeUrl).searchParams;
      const back = new URL(asked.get('redirect_uri') ?? '');
      back.searchParams.set('state', asked.get('state') ?? '');
      if (decision === 'deny') {
        back.searchParams.set('error', 'access_denied');
        return back.href;
      }
      const code = randomUUID();
      codes.set(code, { challenge: asked.get('code_challenge') ?? '', redirectUri: asked.get('redirect_uri') ?? '' });
      back.searchParams.set('code', code);
      return back.href;
    },
    close: () => closeServer(server),
  };
}

function refusal(error: string): object {
  return { error, error_description: 'The request was refused.', error_uri: 'https://docs.github.com/' };
}
