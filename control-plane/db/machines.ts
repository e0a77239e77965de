import type { ProviderName } from '../../contract/vps.ts';
import type { Db } from './connect.ts';

/** Every instance that was ever asked of a vendor: intended, made, owned, released (wiped, still paid for), ended. */
export interface MachineRow {
  id: string;
  user_vps_id: string | null;
  provider: ProviderName;
  name: string;
  provider_instance_id: string | null;
  region: string;
  product: string;
  status: 'intended' | 'made' | 'owned' | 'released' | 'ended';
  created_at: Date;
  released_at: Date | null;
  ends_at: Date | null;
  ended_at: Date | null;
}

/** The machine of a box that nothing has come of yet: a second run of the same job intends the same one. */
export async function findIntendedMachine(db: Db, name: string): Promise<MachineRow | undefined> {
  return db<MachineRow>('machines').where({ name, status: 'intended' }).first();
}

export async function insertMachine(
  db: Db,
  row: Partial<MachineRow> &
    Pick<MachineRow, 'user_vps_id' | 'provider' | 'name' | 'region' | 'product' | 'created_at'>,
): Promise<void> {
  await db<MachineRow>('machines').insert(row);
}

export async function updateMachine(db: Db, id: string, change: Partial<MachineRow>): Promise<void> {
  await db<MachineRow>('machines').where('id', id).update(change);
}

export async function findMachine(db: Db, provider: ProviderName, instanceId: string): Promise<MachineRow | undefined> {
  return db<MachineRow>('machines').where({ provider, provider_instance_id: instanceId }).first();
}

/** What may still be at the vendor. */
export async function listLiveMachines(db: Db, provider: ProviderName): Promise<MachineRow[]> {
  return db<MachineRow>('machines').where('provider', provider).whereNot('status', 'ended').orderBy('created_at');
}

/** Machines of a box that may still be at the vendor. */
export async function listMachinesOfBox(db: Db, boxId: string): Promise<MachineRow[]> {
  return db<MachineRow>('machines').where('user_vps_id', boxId).whereNotIn('status', ['released', 'ended']);
}

export async function countMachines(db: Db): Promise<{ provider: ProviderName; status: string; count: string }[]> {
  return db<MachineRow>('machines').groupBy('provider', 'status').select('provider', 'status', db.raw('count(*)'));
}
