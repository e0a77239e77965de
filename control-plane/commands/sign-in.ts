import { timingSafeEqual } from 'node:crypto';
import { SpoqError } from '../../contract/errors.ts';
import { takePendingSignIn } from '../db/sessions.ts';
import { upsertUser, type UserRow } from '../db/users.ts';
import { noteBrowser } from '../db/known-browsers.ts';
import type { Deps } from '../deps.ts';
import type { Github, GithubPerson } from '../integrations/github.ts';
import type { PendingSignIn, Session } from '../middleware/session.ts';
import { newBrowser } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { bindCheckouts } from './bind-checkouts.ts';
import { queueMail } from './queue-mail.ts';

/** GitHub's codes live for ten minutes; a little longer to choose an account. */
const SIGN_IN_MINUTES = 15;
const LEAVING = 'This account is being deleted, as was asked for. Nobody can sign in to it any more.';
/** So many tabs may be signing in at once. */
const MAX_PENDING = 5;

/** Begins a sign-in in this browser and answers the address of GitHub to go to. */
export async function beginSignIn(
  deps: Pick<Deps, 'now'>,
  github: Github,
  session: Session,
  returnTo: string,
): Promise<string> {
  const { url, attempt } = await github.begin();
  const pending = { ...attempt, return_to: returnTo, begun_at: deps.now().toISOString() };
  const others = (session.data.sign_ins ?? []).slice(1 - MAX_PENDING);
  await session.save({ ...session.data, sign_ins: [...others, pending] });
  return url;
}

/**
 * The sign-in that `state` was made for, which is then used up whatever comes of it.
 * @throws SpoqError `sign_in_failed` when this browser began none such, or too long ago
 */
export async function takeSignIn(
  deps: Pick<Deps, 'db' | 'now'>,
  session: Session,
  state: unknown,
): Promise<PendingSignIn> {
  const isState = (one: PendingSignIn) => typeof state === 'string' && sameText(one.state, state);
  const taken = session.idHash === undefined ? undefined : await takePendingSignIn(deps.db, session.idHash, isState);
  const since = deps.now().getTime() - SIGN_IN_MINUTES * 60_000;
  if (taken !== undefined && Date.parse(taken.begun_at) >= since) return taken;
  throw new SpoqError('sign_in_failed', {
    detail:
      'This sign-in was not begun in this browser, took too long or was finished before. You are not signed in by it.',
  });
}

/**
 * What waits for a person to sign in: what was paid in this browser becomes theirs. A failure doesn't undo the sign-in:
 * the payment stays on record with this browser and is bound when the set-up page is opened.
 */
async function onSignedIn(
  deps: Pick<Deps, 'db' | 'log' | 'now' | 'stripe' | 'boss' | 'config'>,
  signedIn: { user: UserRow; sessionHash: string },
): Promise<void> {
  try {
    await bindCheckouts(deps, signedIn);
  } catch (err) {
    deps.log.error({ err, user_id: signedIn.user.id }, 'payments could not be bound at sign-in');
  }
}

/**
 * Stores who it is, signs the browser in under a new session id and tells those who wait for it. Of a browser that a person has not used
 * before they are told by mail.
 * @throws SpoqError `account_leaving`
 */
export async function signIn(
  deps: Pick<Deps, 'db' | 'log' | 'now' | 'stripe' | 'boss' | 'config'>,
  session: Session,
  person: GithubPerson,
  from: { ip: string; browser: string },
): Promise<UserRow> {
  const now = deps.now();
  const user = await deps.db.transaction(async (tx) => {
    const row = await upsertUser(tx, person, now);
    if (row.deletion_asked_at !== null) throw new SpoqError('account_leaving', { detail: LEAVING });
    const browserHash = session.ensureBrowser();
    const { isKnown, isFirst } = await noteBrowser(tx, row.id, browserHash, now);
    if (!isKnown && !isFirst)
      await queueMail(deps, tx, {
        to: { userId: row.id },
        kind: 'new_browser',
        key: `new_browser:${row.id}:${browserHash}`,
        message: newBrowser({ baseUrl: deps.config.BASE_URL, browser: `${from.browser} at ${from.ip}`, at: now }),
      });
    await recordAudit(tx, {
      at: now,
      actor: `user:${row.id}`,
      user_id: row.id,
      action: 'user.signed_in',
      detail: { github_id: row.github_id, username: row.username },
      ip: from.ip,
    });
    return row;
  });
  const { to } = await session.signIn(user);
  await onSignedIn(deps, { user, sessionHash: to });
  return user;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
