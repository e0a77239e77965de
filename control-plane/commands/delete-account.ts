import { listBoundSubscriptions } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { eraseUser } from '../db/erase-user.ts';
import { lockInTransaction } from '../db/locks.ts';
import { hasOpenSettlements } from '../db/settlements.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { findUser, lockUser, markLeaving, type UserRow } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { accountDeleted, deletionAsked } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { listDevices, revokeAllDevices } from './devices.ts';
import { sendDeletionJob } from './leaving.ts';
import { queueMail } from './queue-mail.ts';
import { revokeOtherSessions } from './sessions.ts';
import { syncSubscription } from './sync-subscription.ts';
import { expireSubscription } from './write-life.ts';

type DeleteDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

/**
 * Notes that a person wants their account deleted, once and for all: from then on nobody is signed in to it, and `deleteAccount` does
 * the rest. The browser that asked may watch. Asking again changes nothing.
 * @param request.sessionId of the browser that asks
 */
export async function askDeletion(
  deps: DeleteDeps,
  user: UserRow,
  { sessionId, ip }: { sessionId: string | undefined; ip: string },
): Promise<void> {
  const at = deps.now();
  await deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `user-subscription:${user.id}`);
    if (!(await markLeaving(tx, user.id, at))) return;
    await queueMail(deps, tx, {
      to: { userId: user.id },
      kind: 'deletion_asked',
      key: `deletion_asked:${user.id}`,
      message: deletionAsked({ baseUrl: deps.config.BASE_URL, username: user.username }),
    });
    await sendDeletionJob(deps, tx, user.id);
    await recordAudit(tx, { at, actor: `user:${user.id}`, user_id: user.id, action: 'user.deletion_asked', ip });
  });
  await revokeOtherSessions(deps, user, sessionId, ip);
  await revokeAllDevices(deps, user, ip);
}

/**
 * Deletes an account as far as that can be done now, in this order: devices, what is paid, the box, then all that is left about the
 * person. Safe to repeat at any time; the jobs that it waits for ask for it again when they are done, and so does each minute.
 */
export async function deleteAccount(deps: DeleteDeps, userId: string): Promise<void> {
  const user = await findUser(deps.db, userId);
  if (user === undefined || user.deletion_asked_at === null || user.deleted_at !== null) return;
  if ((await listDevices(deps, userId)).length > 0) await revokeAllDevices(deps, user, null);
  for (const id of await listBoundSubscriptions(deps.db, userId))
    await deps.db.transaction((tx) => syncSubscription(deps, tx, id));
  // Stripe knows nothing of it, or there never was one: nobody else would end it.
  await deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `user-subscription:${userId}`);
    const row = await findSubscription(tx, userId);
    if (row !== undefined && row.status !== 'expired') await expireSubscription(deps, tx, row);
  });
  const box = await findBoxOfUser(deps.db, userId);
  if (box !== undefined) await deps.db.transaction((tx) => sendBoxJob(deps.boss, tx, QUEUES.destroy, box));
  else await deps.db.transaction((tx) => erase(deps, tx, userId));
}

/** Once nothing is running any more and every cent is where it belongs. */
async function erase(deps: DeleteDeps, tx: Db, userId: string): Promise<void> {
  const user = await lockUser(tx, userId);
  if (user === undefined || user.deleted_at !== null || (await listWhatIsLeft(tx, userId)).length > 0) return;
  const at = deps.now();
  await queueMail(deps, tx, {
    to: { userId },
    kind: 'account_deleted',
    key: `account_deleted:${userId}`,
    message: accountDeleted({ baseUrl: deps.config.BASE_URL, username: user.username }),
  });
  await eraseUser(tx, userId, at, { account_deleted: true });
  await recordAudit(tx, { at, actor: 'system', user_id: userId, action: 'user.deleted' });
}

/** What an account still has that has to go before the records of it can. */
export type Left = 'subscription' | 'box';

/** What a deletion still waits for, in the order in which it goes. */
export async function listWhatIsLeft(db: Db, userId: string): Promise<Left[]> {
  const left: Left[] = [];
  const subscription = await findSubscription(db, userId);
  const counts = subscription !== undefined && subscription.status !== 'expired';
  if (counts || (await hasOpenSettlements(db, userId))) left.push('subscription');
  if ((await findBoxOfUser(db, userId)) !== undefined) left.push('box');
  return left;
}
