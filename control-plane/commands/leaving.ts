import { fromKnex } from 'pg-boss';
import { SpoqError } from '../../contract/errors.ts';
import type { Db } from '../db/connect.ts';
import { findDeletionAsked } from '../db/users.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, type DeletionJob } from '../jobs/queues.ts';

/** Asks for the job that deletes an account, with the rows of `tx`. */
export async function sendDeletionJob(deps: Pick<Deps, 'boss'>, tx: Db, userId: string): Promise<void> {
  const job: DeletionJob = { user_id: userId };
  await deps.boss.send(QUEUES.deletion, job, { db: fromKnex(tx), group: { id: userId } });
}

/** The same if the person is leaving: something that a deletion waited for is done. True: they are. */
export async function sendIfLeaving(deps: Pick<Deps, 'boss'>, tx: Db, userId: string): Promise<boolean> {
  if ((await findDeletionAsked(tx, userId)) === undefined) return false;
  await sendDeletionJob(deps, tx, userId);
  return true;
}

/**
 * Holds off a deletion until the transaction ends: what the transaction makes is found by it.
 * @throws SpoqError `account_leaving`
 */
export async function requireStaying(tx: Db, userId: string): Promise<void> {
  if ((await findDeletionAsked(tx, userId)) !== undefined) throw new SpoqError('account_leaving');
}
