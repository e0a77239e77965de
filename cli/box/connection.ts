import { SpoqError } from '../../contract/errors.ts';
import { isLoopbackName } from '../../contract/loopback.ts';
import { getCredentials } from '../auth/session.ts';
import type { CliDeps } from '../deps.ts';
import type { HttpResponse } from '../http/client.ts';
import { asUnreachable } from '../http/failure.ts';
import { readProblem } from '../http/problem.ts';
import { joinUrl, parseServiceUrl } from '../http/url.ts';
import { loadMarker } from './marker.ts';

/** How this process reaches the box: on the box itself by its marker and without a token, elsewhere by the sign-in. */
export interface BoxAccess {
  url: URL;
  on_box: boolean;
  token?: string;
  user_id?: string;
  expires_at?: string;
}

export interface BoxRequest {
  method: 'GET' | 'POST';
  path: string;
  accept: string;
  body?: string;
}

/** Finds the box. Throws `not_authenticated`, `file_unusable` or what a refresh of the sign-in throws. */
export async function findBox(deps: CliDeps, rejectedToken?: string): Promise<BoxAccess> {
  const marker = await loadMarker(deps.env);
  if (marker !== undefined) return { url: parseMarkerUrl(marker.conductor), on_box: true };
  const credentials = await getCredentials(deps, rejectedToken);
  return {
    url: parseServiceUrl(credentials.vps_hostname, 'vps_hostname in the credentials'),
    on_box: false,
    token: credentials.access_token,
    user_id: credentials.user_id,
    expires_at: credentials.expires_at,
  };
}

/**
 * Sends a request to the box and returns its 2xx answer. A token that the box doesn't accept is refreshed once: it may have
 * been signed with a key that is gone. Throws `box_unreachable` or what the box answered.
 */
export async function callBox(deps: CliDeps, box: BoxAccess, request: BoxRequest): Promise<HttpResponse> {
  const first = await send(deps, box, request);
  if (isSuccess(first)) return first;
  const problem = await readFailure(first, box);
  if (problem.code !== 'token_invalid' || box.token === undefined) throw problem;
  const renewed = await findBox(deps, box.token);
  const second = await send(deps, renewed, request);
  if (isSuccess(second)) return second;
  throw await readFailure(second, renewed);
}

async function send(deps: CliDeps, box: BoxAccess, request: BoxRequest): Promise<HttpResponse> {
  try {
    return await deps.http({
      method: request.method,
      url: joinUrl(box.url, request.path),
      headers: {
        accept: request.accept,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(box.token === undefined ? {} : { authorization: `Bearer ${box.token}` }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      signal: deps.signal,
    });
  } catch (error) {
    throw asUnreachable('box_unreachable', error);
  }
}

async function readFailure(response: HttpResponse, box: BoxAccess): Promise<SpoqError> {
  try {
    return await readProblem(response, 'box_unreachable', box.url.hostname);
  } catch (error) {
    throw asUnreachable('box_unreachable', error);
  }
}

function isSuccess(response: HttpResponse): boolean {
  return response.status >= 200 && response.status < 300;
}

/** Without a token the conductor answers only on this machine; a marker that points elsewhere was tampered with. */
function parseMarkerUrl(value: string): URL {
  const url = parseServiceUrl(value, 'conductor in the marker');
  if (isLoopbackName(url.hostname)) return url;
  throw new SpoqError('file_unusable', {
    detail: `The marker of this box names a conductor on another machine: ${value}`,
    next: 'Write http://localhost:8080 there.',
  });
}
