import type { z } from 'zod';
import { CLI_CLIENT_ID, DEVICE_GRANT_TYPE, DeviceResponse, OAuthError, TokenResponse } from '../../contract/auth.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { HttpClient, HttpResponse } from '../http/client.ts';
import { asUnreachable } from '../http/failure.ts';
import { parseJson, readProblem } from '../http/problem.ts';
import { joinUrl } from '../http/url.ts';

/** What the OAuth endpoints answer: tokens, or one of the error words of RFC 6749 §5.2 and RFC 8628 §3.5. */
export type TokenAnswer =
  | { ok: true; tokens: TokenResponse }
  | { ok: false; error: OAuthError['error']; description?: string };

/** The sign-in endpoints of the control plane. All reject with `control_plane_unreachable` when it can't be reached. */
export interface ControlPlane {
  url: URL;
  /** POST /auth/device (RFC 8628 §3.1). */
  startDevice(hostname: string): Promise<DeviceResponse>;
  /** POST /auth/device/token (RFC 8628 §3.4). */
  pollDevice(deviceCode: string): Promise<TokenAnswer>;
  /** POST /auth/token with the code that the browser brought (RFC 6749 §4.1.3, RFC 7636 §4.5). */
  exchangeCode(grant: { code: string; redirectUri: string; verifier: string }): Promise<TokenAnswer>;
  /** POST /auth/refresh (RFC 6749 §6). */
  refresh(refreshToken: string): Promise<TokenAnswer>;
  /** POST /auth/revoke (RFC 7009). */
  revoke(refreshToken: string): Promise<void>;
}

/** Makes the client of the control plane at `url`. */
export function createControlPlane(http: HttpClient, url: URL, signal: AbortSignal): ControlPlane {
  const post = async (path: string, fields: Record<string, string>): Promise<HttpResponse> => {
    try {
      return await http({
        method: 'POST',
        url: joinUrl(url, path),
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams(fields).toString(),
        signal,
      });
    } catch (error) {
      throw asUnreachable('control_plane_unreachable', error);
    }
  };
  const postForTokens = async (path: string, fields: Record<string, string>): Promise<TokenAnswer> => {
    const response = await post(path, fields);
    if (response.status >= 200 && response.status < 300) {
      return { ok: true, tokens: await parseAnswer(TokenResponse, response, url) };
    }
    return parseOAuthError(response, url);
  };
  return {
    url,
    async startDevice(hostname) {
      const response = await post('/auth/device', { client_id: CLI_CLIENT_ID, hostname: hostname.slice(0, 120) });
      if (response.status !== 200) throw await asFailure(response, url);
      return parseAnswer(DeviceResponse, response, url);
    },
    pollDevice: (deviceCode) =>
      postForTokens('/auth/device/token', {
        grant_type: DEVICE_GRANT_TYPE,
        device_code: deviceCode,
        client_id: CLI_CLIENT_ID,
      }),
    exchangeCode: ({ code, redirectUri, verifier }) =>
      postForTokens('/auth/token', {
        grant_type: 'authorization_code',
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        client_id: CLI_CLIENT_ID,
      }),
    refresh: (refreshToken) =>
      postForTokens('/auth/refresh', {
        grant_type: 'refresh_token',
        refresh_token: refreshToken,
        client_id: CLI_CLIENT_ID,
      }),
    async revoke(refreshToken) {
      const response = await post('/auth/revoke', { token: refreshToken, token_type_hint: 'refresh_token' });
      if (response.status !== 200) throw await asFailure(response, url);
      await readBody(response);
    },
  };
}

async function parseAnswer<T>(schema: z.ZodType<T>, response: HttpResponse, url: URL): Promise<T> {
  const answer = schema.safeParse(parseJson(await readBody(response)));
  if (answer.success) return answer.data;
  throw new SpoqError('control_plane_unreachable', {
    detail: `${url.host} answered ${response.status}, and not as Spoq does.`,
    next: 'Check SPOQ_URL, or try again later.',
  });
}

/** An OAuth error; a problem document or anything else is thrown as the failure it is. */
async function parseOAuthError(response: HttpResponse, url: URL): Promise<TokenAnswer> {
  const text = await readBody(response);
  const oauth = OAuthError.safeParse(parseJson(text));
  if (!oauth.success) throw await asFailure({ ...response, text: () => Promise.resolve(text) }, url);
  const { error, error_description: description } = oauth.data;
  return { ok: false, error, ...(description === undefined ? {} : { description }) };
}

async function asFailure(response: HttpResponse, url: URL): Promise<SpoqError> {
  const oauth = OAuthError.safeParse(parseJson(await readBody(response)));
  if (oauth.success) {
    const { error, error_description: description } = oauth.data;
    return new SpoqError('control_plane_unreachable', { detail: `${url.host} answered ${description ?? error}.` });
  }
  return readProblem(response, 'control_plane_unreachable', url.host);
}

async function readBody(response: HttpResponse): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw asUnreachable('control_plane_unreachable', error);
  }
}
