import { SpoqError } from '../../contract/errors.ts';
import type { OperationName } from '../../contract/vps.ts';
import { beginBoxOperation, isOperating } from '../db/box-operations.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { type Move, writeMove } from '../db/moves.ts';
import { findSshPassword } from '../db/ssh-passwords.ts';
import { findBox, updateBox, type UserVpsRow } from '../db/user-vps.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { OPERATION_NOUNS } from '../presenters/operations.ts';
import { recordAudit } from './audit.ts';
import { toHashes } from './provision-box.ts';

export interface OperationRequest {
  operation: OperationName;
  /** Where a `move` goes: see planMove. */
  move?: Pick<Move, 'provider' | 'region' | 'plan'>;
  /** As in the audit log: `user:<id>`, `operator` or `system`. */
  actor: string;
  ip: string | null;
}

/**
 * Asks for something to be done to a box that is ready: its row, first event, job and audit in one transaction. Asking for what is
 * being done already answers the box as it is. `password` gives the box the one that its owner has chosen last.
 * @throws SpoqError `conflict` when the box isn't ready, `stack_busy` while something else is being done to it
 */
export async function beginOperation(
  deps: Pick<Deps, 'db' | 'boss' | 'now'>,
  box: Pick<UserVpsRow, 'id' | 'user_id'>,
  { operation, move, actor, ip }: OperationRequest,
): Promise<UserVpsRow> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `box-of:${box.user_id}`);
    const present = await findBox(tx, box.id);
    if (present === undefined) throw new SpoqError('no_box');
    // Another password than the one that is on its way is another wish.
    if (isOperating(present) && present.operation === operation && operation !== 'password') return present;
    requireIdle(present, operation);
    if (operation === 'password') await takePassword(tx, box);
    const begun = await beginBoxOperation(tx, box.id, operation);
    if (operation === 'move') await takeMove(tx, begun, move);
    const message = `Your ${OPERATION_NOUNS[operation]} is next.`;
    await appendVpsEvent(tx, box.id, { step: 'queued', state: 'started', message, at: deps.now() });
    await sendBoxJob(deps.boss, tx, QUEUES.operate, box);
    await recordAudit(tx, {
      at: deps.now(),
      actor,
      user_id: box.user_id,
      action: `box.${operation}_requested`,
      detail: { box_id: box.id, hostname: begun.hostname, number: begun.operation_number },
      ip,
    });
    return begun;
  });
}

/** @throws SpoqError `conflict` when the box isn't ready or is switched off, `stack_busy` while something is being done to it */
export function requireIdle(box: UserVpsRow, operation?: OperationName): void {
  if (box.status !== 'ready')
    throw new SpoqError('conflict', {
      detail: `The box is ${box.status}: only one that is ready can be changed. Nothing was done.`,
    });
  if (box.suspended_at !== null && operation !== 'resume')
    throw new SpoqError('conflict', {
      detail: 'The box is switched off, since nothing is paid for it. Nothing was done.',
      next: 'Pay first; it is switched on again by itself.',
    });
  if (isOperating(box))
    throw new SpoqError('stack_busy', {
      detail: `A ${OPERATION_NOUNS[box.operation ?? 'restart']} of the box is going on. Nothing else was begun.`,
    });
}

/** What an earlier move has left undone is done first: that, and nothing else, is what is begun then. */
async function takeMove(tx: Db, box: UserVpsRow, move: OperationRequest['move']): Promise<void> {
  if (box.move !== null) return;
  if (move === undefined) throw new SpoqError('invalid_request', { detail: 'It is not said where the box shall go.' });
  await writeMove(tx, box.id, { ...move, machine: box.operation_number, stage: 'copy' });
}

async function takePassword(tx: Db, box: Pick<UserVpsRow, 'id' | 'user_id'>): Promise<void> {
  const password = await findSshPassword(tx, box.user_id);
  if (password === undefined) throw new SpoqError('no_password');
  await updateBox(tx, box.id, toHashes(password));
}
