import { SpoqError } from '../../contract/errors.ts';
import type { OperationName } from '../../contract/vps.ts';
import { beginBoxOperation, isOperating } from '../db/box-operations.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findBox, type UserVpsRow } from '../db/user-vps.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { OPERATION_NOUNS } from '../presenters/operations.ts';
import { recordAudit } from './audit.ts';

export interface OperationRequest {
  operation: OperationName;
  /** As in the audit log: `user:<id>` or `operator`. */
  actor: string;
  ip: string | null;
}

/**
 * Asks for something to be done to a box that is ready: its row, first event, job and audit in one transaction. Asking for what is
 * being done already answers the box as it is.
 * @throws SpoqError `conflict` when the box isn't ready, `stack_busy` while something else is being done to it
 */
export async function beginOperation(
  deps: Pick<Deps, 'db' | 'boss' | 'now'>,
  box: Pick<UserVpsRow, 'id' | 'user_id'>,
  { operation, actor, ip }: OperationRequest,
): Promise<UserVpsRow> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `box-of:${box.user_id}`);
    const present = await findBox(tx, box.id);
    if (present?.status !== 'ready')
      throw new SpoqError('conflict', {
        detail: `The box is ${present?.status ?? 'not there'}: only one that is ready can be changed. Nothing was done.`,
      });
    if (isOperating(present)) {
      if (present.operation === operation) return present;
      throw new SpoqError('stack_busy', {
        detail: `A ${present.operation ?? 'change'} of the box is going on. Nothing else was begun.`,
      });
    }
    const begun = await beginBoxOperation(tx, box.id, operation);
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
