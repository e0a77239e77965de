import type { OperationName } from '../../contract/vps.ts';
import type { Db } from './connect.ts';
import type { UserVpsRow } from './user-vps.ts';

/** Whether something is being done to a box, or waits for its turn. One that failed has ended. */
export function isOperating(box: Pick<UserVpsRow, 'status' | 'operation' | 'operation_failure'>): boolean {
  return box.status === 'ready' && box.operation !== null && box.operation_failure === null;
}

/** Notes what is to be done to a box, under the next number. Lock the box before. */
export async function beginBoxOperation(tx: Db, id: string, operation: OperationName): Promise<UserVpsRow> {
  const [row] = await tx<UserVpsRow>('user_vps')
    .where('id', id)
    .update({
      operation,
      operation_number: tx.raw('operation_number + 1') as unknown as number,
      operation_failure: null,
    })
    .returning('*');
  if (row === undefined) throw new Error(`there is no box ${id}`);
  return row;
}

/** Boxes to which something is being done, or waits for its turn. */
export async function listBoxesInOperation(db: Db): Promise<Pick<UserVpsRow, 'id' | 'user_id' | 'operation'>[]> {
  return db<UserVpsRow>('user_vps')
    .where('status', 'ready')
    .whereNotNull('operation')
    .whereNull('operation_failure')
    .orderBy('id')
    .select('id', 'user_id', 'operation');
}
