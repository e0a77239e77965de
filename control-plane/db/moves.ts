import type { PlanName } from '../../contract/billing.ts';
import type { ProviderName } from '../../contract/vps.ts';
import type { Db } from './connect.ts';
import { updateBox, type UserVpsRow } from './user-vps.ts';

/** Where a box goes, and how far it has come: the column user_vps.move. */
export interface Move {
  provider: ProviderName;
  region: string;
  plan: PlanName;
  /** Of the machine that it goes to: the number of the operation. */
  machine: number;
  /**
   * `copy` and `switch` are the stack's (stacks/spec.ts). `leave`: the box is at its new place, and the row says so; the old machine is
   * to be given up. `return`: it is to stay where it is, and the new one is to be given up.
   */
  stage: 'copy' | 'switch' | 'leave' | 'return';
  /** With `leave`: the machine that is to be given up. */
  left?: { provider: ProviderName; provider_instance_id: string };
  /** With `return`: why, in words for the customer. */
  reason?: string;
}

/** Notes how far a move is; null: nothing is left to do. Lock the box before. */
export async function writeMove(
  tx: Db,
  id: string,
  move: Move | null,
  change: Partial<UserVpsRow> = {},
): Promise<void> {
  const json = move === null ? null : (JSON.stringify(move) as unknown as Move);
  await updateBox(tx, id, { ...change, move: json });
}

/** The vendors that may have a machine of this box. */
export function listProviders({ provider, move }: Pick<UserVpsRow, 'provider' | 'move'>): ProviderName[] {
  return [...new Set([provider, move?.provider, move?.left?.provider])].filter((one) => one !== undefined);
}

/** Boxes whose move has failed half-way, and to which nothing is being done. */
export async function listBoxesLeftInMove(db: Db): Promise<UserVpsRow[]> {
  return db<UserVpsRow>('user_vps')
    .where('status', 'ready')
    .whereNotNull('move')
    .where((either) => either.whereNull('operation').orWhereNotNull('operation_failure'))
    .orderBy('id');
}
