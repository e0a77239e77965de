import type { Context, Middleware } from 'koa';
import { SpoqError } from '../../contract/errors.ts';
import { hashToken, randomToken } from '../cipher.ts';
import type { Deps } from '../deps.ts';
import {
  deleteSession,
  findSession,
  insertSession,
  moveSession,
  touchSession,
  updateSessionData,
  type SessionRow,
} from '../db/sessions.ts';
import { findUser, type UserRow } from '../db/users.ts';

const SESSION_DAYS = 30;
const BROWSER_DAYS = 365;
/** What randomToken makes. */
const BROWSER_ID = /^[\w-]{43}$/;
const TOUCH_EVERY_MS = 60_000;

export const SIGNED_OUT_FROM_AFAR = 'This browser was signed out on the page of your devices.';

/** A sign-in that was begun and that GitHub has not sent back yet. */
export interface PendingSignIn {
  state: string;
  verifier: string;
  /** A path of ours. */
  return_to: string;
  begun_at: string;
}

/** What a browser's session remembers before and while it is signed in. */
export interface SessionData {
  /** The newest last; several, for a person may have begun in two tabs. */
  sign_ins?: PendingSignIn[];
  /** IANA name of the browser's time zone, where its script has told it. */
  time_zone?: string;
  /** It was signed out from another browser; said until somebody signs in. */
  revoked?: boolean;
  /** The account that was signed in here is deleted; likewise. */
  account_deleted?: boolean;
  [key: string]: unknown;
}

/** The browser's session: a row in the database; the cookie holds a random id of which only the hash is kept. */
export interface Session {
  readonly idHash: string | undefined;
  /** Its name on pages. */
  readonly id: string | undefined;
  readonly user: UserRow | undefined;
  /** Who asked in this browser for their account to be deleted: signed in to nothing any more, and may watch. */
  readonly leaving: UserRow | undefined;
  /** When the person signed in with this browser. */
  readonly signedInAt: Date | undefined;
  readonly data: SessionData;
  /** Makes sure there is a session (and cookie) and returns the hash of its id. */
  ensure(): Promise<string>;
  /** The hash of what this browser is known by, whoever is signed in: a cookie of its own, which opens nothing. */
  ensureBrowser(): string;
  save(data: SessionData): Promise<void>;
  /** Signs `user` in under a new id, so that an id that was planted before gives nothing; returns {from, to} hashes. */
  signIn(user: UserRow): Promise<{ from: string | undefined; to: string }>;
  signOut(): Promise<void>;
}

/** Reads the session once per request. `__Host-` needs https; on plain http (a laptop) the cookie goes without the prefix. */
export function createSessionMiddleware(deps: Pick<Deps, 'config' | 'db' | 'now'>): Middleware {
  const secure = deps.config.BASE_URL.startsWith('https://');
  const prefix = secure ? '__Host-' : '';
  const cookieName = `${prefix}spoq_session`;
  const browserName = `${prefix}spoq_browser`;
  return async (ctx, next) => {
    // TLS ends before us, so Koa takes the connection for an open one and would refuse to send a secure cookie on it.
    ctx.cookies.secure = secure;
    const cookie = ctx.cookies.get(cookieName);
    let row = cookie === undefined ? undefined : await findSession(deps.db, hashToken(cookie), deps.now());
    const found = row?.user_id == null ? undefined : await findUser(deps.db, row.user_id);
    const leaving = found?.deletion_asked_at == null ? undefined : found;
    let user = leaving === undefined ? found : undefined;
    if (row !== undefined && deps.now().getTime() - row.last_seen_at.getTime() > TOUCH_EVERY_MS)
      await touchSession(deps.db, row.id_hash, deps.now());
    const setCookie = (value: string | undefined, name = cookieName, days = SESSION_DAYS) =>
      ctx.cookies.set(name, value ?? '', {
        httpOnly: true,
        secure,
        sameSite: 'lax',
        path: '/',
        overwrite: true,
        maxAge: value === undefined ? 0 : days * 86_400_000,
      });
    const start = async (userId: string | null, data: SessionData): Promise<SessionRow> => {
      const id = randomToken();
      const expires = new Date(deps.now().getTime() + SESSION_DAYS * 86_400_000);
      const created = await insertSession(deps.db, {
        id_hash: hashToken(id),
        user_id: userId,
        data,
        ip: ctx.ip,
        user_agent: ctx.get('User-Agent').slice(0, 300),
        created_at: deps.now(),
        last_seen_at: deps.now(),
        expires_at: expires,
      });
      setCookie(id);
      return created;
    };
    const session: Session = {
      get idHash() {
        return row?.id_hash;
      },
      get id() {
        return row?.id;
      },
      get user() {
        return user;
      },
      get leaving() {
        return leaving;
      },
      get signedInAt() {
        return user === undefined ? undefined : row?.created_at;
      },
      get data() {
        return row?.data ?? {};
      },
      async ensure() {
        row ??= await start(null, {});
        return row.id_hash;
      },
      ensureBrowser() {
        const given = ctx.cookies.get(browserName);
        const id = given !== undefined && BROWSER_ID.test(given) ? given : randomToken();
        setCookie(id, browserName, BROWSER_DAYS);
        return hashToken(id);
      },
      async save(data) {
        row ??= await start(null, {});
        row = { ...row, data };
        await updateSessionData(deps.db, row.id_hash, data);
      },
      async signIn(who) {
        const from = row?.id_hash;
        const isAnother = row?.user_id != null && row.user_id !== who.id;
        const { sign_ins: _signIns, revoked: _revoked, account_deleted: _deleted, ...kept } = row?.data ?? {};
        row = await start(who.id, isAnother ? {} : kept);
        user = who;
        if (from !== undefined) await moveSession(deps.db, from, row.id_hash);
        return { from, to: row.id_hash };
      },
      async signOut() {
        if (row !== undefined) await deleteSession(deps.db, row.id_hash);
        row = undefined;
        user = undefined;
        setCookie(undefined);
      },
    };
    ctx.state['session'] = session;
    await next();
  };
}

/** The session of this request. */
export function getSession(ctx: Context): Session {
  return ctx.state['session'] as Session;
}

/** The signed-in person, or `not_signed_in`. */
export function requireUser(ctx: Context): UserRow {
  const { user, data } = getSession(ctx);
  if (user === undefined)
    throw new SpoqError(
      'not_signed_in',
      data.revoked ? { detail: `${SIGNED_OUT_FROM_AFAR} Nothing was changed.` } : {},
    );
  return user;
}
