import { deleteAccount } from '../commands/delete-account.ts';
import { watchUnclaimed } from '../commands/claim-payments.ts';
import { watchGrace } from '../commands/end-grace.ts';
import { sendSettleJob } from '../commands/settle.ts';
import { steerBox } from '../commands/steer-box.ts';
import { listUnsentMails } from '../db/mails.ts';
import { listOpenSettlements } from '../db/settlements.ts';
import { listInGrace, listUnsteered } from '../db/subscriptions.ts';
import { listLeaving } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { sendMailJob } from '../commands/queue-mail.ts';

/** Jobs do their work at once; what is still there after so long has lost its job, or waits for its next attempt. */
const LEFT_MINUTES = 10;

/**
 * What falls due by the clock alone, each minute: grace periods that end, warnings, boxes that are not as their subscription would have
 * them, payments that nobody claims, and promises whose job is lost. One person's trouble keeps nobody else waiting.
 */
export async function watchSubscriptions(deps: Deps, signal: AbortSignal): Promise<void> {
  const each = async <T>(what: string, list: T[], about: (one: T) => object, run: (one: T) => Promise<unknown>) => {
    for (const one of list) {
      signal.throwIfAborted();
      await run(one).catch((err: unknown) => deps.log.error({ err, ...about(one) }, what));
    }
  };
  const byUser = (userId: string) => ({ user_id: userId });
  const inGrace = (await listInGrace(deps.db)).map((row) => row.user_id);
  await each('a grace period could not be watched', inGrace, byUser, (userId) => watchGrace(deps, userId));
  const unsteered = await listUnsteered(deps.db, deps.now());
  await each('a box could not be steered', unsteered, byUser, (userId) => steerBox(deps, userId));
  const leaving = (await listLeaving(deps.db)).map(({ id }) => id);
  await each('an account could not be deleted', leaving, byUser, (userId) => deleteAccount(deps, userId));
  await watchUnclaimed(deps);
  const before = new Date(deps.now().getTime() - LEFT_MINUTES * 60_000);
  for (const { id } of await listOpenSettlements(deps.db, before)) await sendSettleJob(deps, deps.db, id);
  for (const { id } of await listUnsentMails(deps.db, before)) await sendMailJob(deps, deps.db, id);
}
