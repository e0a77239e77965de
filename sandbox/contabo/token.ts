import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Clock } from '../clock.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { ACCOUNT } from './catalog.ts';
import { ContaboError } from './errors.ts';
import type { ContaboState } from './state.ts';

export const TOKEN_PATH = '/auth/realms/contabo/protocol/openid-connect/token';
/** Seconds. Contabo's own values aren't published. */
const ACCESS_LIFE = 300;
const REFRESH_LIFE = 1800;

interface TokenDeps {
  store: Store<ContaboState>;
  clock: Clock;
}

/** The token endpoint, as Keycloak answers it: client credentials in the form or as HTTP Basic (cntb sends those). */
export function createTokenRoute({ store, clock }: TokenDeps): Middleware<RequestState> {
  return (ctx) => {
    const form = ctx.state.body instanceof URLSearchParams ? ctx.state.body : new URLSearchParams();
    const refuse = (status: number, error: string, description: string): void => {
      ctx.status = status;
      ctx.body = { error, error_description: description };
    };
    const client = readBasic(ctx.get('authorization')) ?? [form.get('client_id'), form.get('client_secret')];
    const { data } = store;
    if (!isSame(client[0], data.client_id) || !isSame(client[1], data.client_secret)) {
      return refuse(401, 'invalid_client', 'Invalid client or Invalid client credentials');
    }
    const grant = form.get('grant_type');
    if (grant === 'password') {
      if (!isSame(form.get('username'), data.api_user) || !isSame(form.get('password'), data.api_password)) {
        return refuse(401, 'invalid_grant', 'Invalid user credentials');
      }
    } else if (grant === 'refresh_token') {
      const token = form.get('refresh_token') ?? '';
      if (!verify(data.token_key, token, 'Refresh', clock))
        return refuse(400, 'invalid_grant', 'Invalid refresh token');
    } else return refuse(400, 'unsupported_grant_type', 'Unsupported grant_type');
    ctx.set('cache-control', 'no-store');
    ctx.body = {
      access_token: sign(data, 'Bearer', clock, ACCESS_LIFE),
      expires_in: ACCESS_LIFE,
      refresh_expires_in: REFRESH_LIFE,
      refresh_token: sign(data, 'Refresh', clock, REFRESH_LIFE),
      token_type: 'Bearer',
      'not-before-policy': 0,
      session_state: 'a5e1b6f2-8a6f-4f43-9f0c-2d1c6d6e7a10',
      scope: 'email profile',
    };
  };
}

/** Lets only calls with a live access token through. */
export function requireToken({ store, clock }: TokenDeps): Middleware<RequestState> {
  return (ctx, next) => {
    const token = /^Bearer (.+)$/i.exec(ctx.get('authorization'))?.[1];
    if (!token || !verify(store.data.token_key, token, 'Bearer', clock)) throw new ContaboError(401, 'Unauthorized');
    return next();
  };
}

/** A JWT with the claims that Contabo's clients read: they split it by dots and crash when they can't. */
function sign(state: ContaboState, typ: 'Bearer' | 'Refresh', clock: Clock, lifeSeconds: number): string {
  const now = Math.floor(clock.now().getTime() / 1000);
  const claims = {
    iat: now,
    exp: now + lifeSeconds,
    typ,
    sub: '0f4c7b52-6f0e-4b43-8b53-3c9f6b1c9d21',
    preferred_username: state.api_user,
    ...ACCOUNT,
  };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${mac(state.token_key, signed)}`;
}

function verify(key: string, token: string, typ: string, clock: Clock): boolean {
  const [header, payload, signature] = token.split('.');
  if (payload === undefined || !isSame(signature, mac(key, `${header}.${payload}`))) return false;
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number; typ: string };
  return claims.typ === typ && claims.exp * 1000 > clock.now().getTime();
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function mac(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function readBasic(header: string): [string, string] | undefined {
  const encoded = /^Basic (.+)$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':');
  // RFC 6749 §2.3.1: both are form-encoded before they are joined.
  return [decodeURIComponent(id), decodeURIComponent(secret.join(':'))];
}

function isSame(given: string | null | undefined, expected: string): boolean {
  const [a, b] = [Buffer.from(given ?? ''), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
