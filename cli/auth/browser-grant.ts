import { createHash, randomBytes } from 'node:crypto';
import { CLI_CLIENT_ID } from '../../contract/auth.ts';
import type { TokenResponse } from '../../contract/auth.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { joinUrl } from '../http/url.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import type { ControlPlane } from './control-plane.ts';
import { listenForAnswer } from './loopback-listener.ts';

/** As long as a device grant. */
const WAIT_MS = 600_000;

/**
 * Signs in through the browser of this computer: authorization code with PKCE, answered on the loopback (RFC 8252). `show` is
 * given the address to open. Nothing listens any more when it settles.
 * Throws `sign_in_denied`, `sign_in_expired`, `sign_in_failed`, or `cancelled`.
 */
export async function signInWithBrowser(
  deps: Pick<CliDeps, 'sleep' | 'signal' | 'hostname'>,
  controlPlane: ControlPlane,
  show: (url: string) => Promise<void>,
): Promise<TokenResponse> {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  await using listener = await listenForAnswer(state);
  const { redirectUri } = listener;
  const url = joinUrl(controlPlane.url, '/auth/cli');
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: CLI_CLIENT_ID,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    hostname: deps.hostname.slice(0, 120),
  }).toString();
  await show(url.href);
  const code = readCode(await waitForAnswer(deps, listener.answer), controlPlane.url);
  const answer = await controlPlane.exchangeCode({ code, redirectUri, verifier });
  if (answer.ok) return answer.tokens;
  throw new SpoqError('sign_in_failed', { detail: answer.description ?? answer.error });
}

async function waitForAnswer(
  deps: Pick<CliDeps, 'sleep' | 'signal'>,
  answer: Promise<URLSearchParams>,
): Promise<URLSearchParams> {
  const done = new AbortController();
  const late = deps.sleep(WAIT_MS, AbortSignal.any([deps.signal, done.signal])).then(() => {
    throw new SpoqError('sign_in_expired', {
      detail: 'The browser brought no answer within ten minutes.',
      next: 'Run `spoq init --browser` again, or `spoq init` for an address and a code.',
    });
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}

/** The code of an answer. It must come from the control plane that was asked (RFC 9207), or it would be told another's code. */
function readCode(answer: URLSearchParams, url: URL): string {
  const issuer = answer.get('iss');
  if (issuer !== url.href.replace(/\/$/, '')) {
    throw new SpoqError('sign_in_failed', {
      detail: `The answer came from ${sanitizeLine(issuer ?? 'nobody')}, and ${url.origin} was asked.`,
      next: 'Check SPOQ_URL, or try again.',
    });
  }
  const code = answer.get('code');
  if (code !== null) return code;
  if (answer.get('error') === 'access_denied') {
    throw new SpoqError('sign_in_denied', { next: 'Run `spoq init --browser` again and approve it.' });
  }
  throw new SpoqError('sign_in_failed', {
    detail: sanitizeLine(answer.get('error_description') ?? answer.get('error') ?? 'There was no code in the answer.'),
  });
}
