import type { BillingNotice } from '../../contract/billing.ts';
import { SpoqError } from '../../contract/errors.ts';
import { isLoopbackName } from '../../contract/loopback.ts';
import { getCredentials } from '../auth/session.ts';
import type { CliDeps } from '../deps.ts';
import type { HttpResponse } from '../http/client.ts';
import { asUnreachable, isCut, isRefusal } from '../http/failure.ts';
import { readProblem } from '../http/problem.ts';
import { joinUrl, parseServiceUrl } from '../http/url.ts';
import { explainClock } from './clock.ts';
import { loadMarker } from './marker.ts';
import { callPatiently } from './patience.ts';
import type { Absence, Failed, OnWait } from './patience.ts';

/** How this process reaches the box: on the box itself by its marker and without a token, elsewhere by the sign-in. */
export interface BoxAccess {
  url: URL;
  on_box: boolean;
  token?: string;
  user_id?: string;
  /** Whose account it is; unknown where the sign-in is of an older spoq. */
  username?: string;
  expires_at?: string;
  /** What its owner must know about what they pay. */
  notice?: BillingNotice;
}

export interface BoxRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  accept: string;
  lastEventId?: string;
  /** May be sent again though it was heard: what only reads, or comes to the same when it is done twice. */
  repeatable?: boolean;
  body?: string | Uint8Array;
  /** Of the body: JSON unless told otherwise. */
  type?: string;
  /** How the body is packed. */
  encoding?: string;
  /** One of many requests: the connection stays open. */
  keepAlive?: boolean;
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
    ...(credentials.username === undefined ? {} : { username: credentials.username }),
    expires_at: credentials.expires_at,
    ...(credentials.notice === undefined ? {} : { notice: credentials.notice }),
  };
}

/**
 * Sends a request to the box and returns its 2xx answer. Waits while the box restarts, as long as nothing has been begun;
 * `onWait` is told. A token that the box doesn't accept is refreshed once: it may have been signed with a key that is gone.
 * Throws `box_unreachable` or what the box answered.
 */
export async function callBox(
  deps: CliDeps,
  box: BoxAccess,
  request: BoxRequest,
  onWait: OnWait,
): Promise<HttpResponse> {
  const first = await callPatiently<HttpResponse, Refusal>(deps, () => attempt(deps, box, request), onWait);
  if (!('error' in first)) return first;
  if (first.error.code === 'box_unreachable') throw await explainSilence(deps, box, first.error);
  if (first.error.code !== 'token_invalid' || box.token === undefined) throw first.error;
  const renewed = await findBox(deps, box.token);
  const second = await callPatiently<HttpResponse, Refusal>(deps, () => attempt(deps, renewed, request), onWait);
  if (!('error' in second)) return second;
  throw explainClock(second.error, second.date, deps.now(), renewed.url.hostname);
}

/** A box that doesn't answer may be switched off since nothing is paid: the control plane knows, as far as it answers itself. */
async function explainSilence(deps: CliDeps, box: BoxAccess, error: SpoqError): Promise<SpoqError> {
  if (box.token === undefined) return error;
  const { notice } = await findBox(deps, box.token).catch(() => box);
  if (notice?.code !== 'box_stopped' && notice?.code !== 'box_deleted') return error;
  return new SpoqError('box_suspended', {
    detail: notice.message,
    next: `See to it at ${notice.url}; after a payment the box is back within a minute.`,
    cause: error,
  });
}

/** Makes the connection that the next request with `keepAlive` takes. Tells nothing but that somebody comes, and fails in silence. */
export async function openLine(deps: CliDeps, box: BoxAccess): Promise<void> {
  if (box.on_box) return;
  const url = joinUrl(box.url, '/health');
  const response = await deps.http({ method: 'GET', url, keepAlive: true, signal: deps.signal });
  await response.text();
}

interface Refusal extends Failed {
  /** What time it was there. */
  date: string | undefined;
}

async function attempt(deps: CliDeps, box: BoxAccess, request: BoxRequest): Promise<HttpResponse | Refusal> {
  try {
    const response = await send(deps, box, request);
    if (response.status >= 200 && response.status < 300) return response;
    const error = await readProblem(response, 'box_unreachable', box.url.hostname);
    return { error, date: response.header('date'), absence: readAbsence(response.status, error) };
  } catch (error) {
    const failure = asUnreachable('box_unreachable', error);
    const mayRepeat = isRefusal(error) || (isCut(error) && (request.repeatable ?? request.method === 'GET'));
    if (!(failure instanceof SpoqError) || !mayRepeat) throw failure;
    return { error: failure, date: undefined, absence: 'gone' };
  }
}

/** The front door answers 502 or 503 with words of its own while no conductor listens behind it. */
function readAbsence(status: number, error: SpoqError): Absence | undefined {
  if (error.code === 'box_restarting') return 'restarting';
  return error.code === 'box_unreachable' && (status === 502 || status === 503) ? 'gone' : undefined;
}

function send(deps: CliDeps, box: BoxAccess, request: BoxRequest): Promise<HttpResponse> {
  return deps.http({
    method: request.method,
    url: joinUrl(box.url, request.path),
    headers: {
      accept: request.accept,
      ...(request.lastEventId === undefined ? {} : { 'last-event-id': request.lastEventId }),
      ...(request.body === undefined ? {} : { 'content-type': request.type ?? 'application/json' }),
      ...(request.encoding === undefined ? {} : { 'content-encoding': request.encoding }),
      ...(box.token === undefined ? {} : { authorization: `Bearer ${box.token}` }),
    },
    ...(request.body === undefined ? {} : { body: request.body }),
    ...(request.keepAlive === undefined ? {} : { keepAlive: request.keepAlive }),
    signal: deps.signal,
  });
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
