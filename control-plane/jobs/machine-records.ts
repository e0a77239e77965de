import { PLANS } from '../../contract/billing.ts';
import {
  findIntendedMachine,
  findMachine,
  insertMachine,
  listMachinesOfBox,
  updateMachine,
  type MachineRow,
} from '../db/machines.ts';
import type { Db } from '../db/connect.ts';
import { toStackName, type UserVpsRow } from '../db/user-vps.ts';
import type { BoxOutputs, VendorMachine } from '../engine/engine.ts';

/** Vendor's product of a box's plan. */
export function toProduct(box: Pick<UserVpsRow, 'plan' | 'provider'>): string {
  const plan = PLANS[box.plan];
  return box.provider === 'contabo' ? plan.contabo_product : plan.hostinger_item;
}

/** Notes that a machine is about to be asked of the vendor, before it is: no money is spent that isn't written down first. */
export async function intendMachine(db: Db, box: UserVpsRow, now: Date): Promise<void> {
  const present = await listMachinesOfBox(db, box.id);
  if (present.length > 0) return;
  await insertMachine(db, describe(box, now));
}

/** Notes that a box runs on the machine that its stack has made. */
export async function ownMachine(tx: Db, box: UserVpsRow, outputs: BoxOutputs, now: Date): Promise<void> {
  const { provider_instance_id, region } = outputs;
  const row = await findRecord(tx, box, provider_instance_id);
  const change = { provider_instance_id, region, status: 'owned', user_vps_id: box.id } as const;
  if (row === undefined) await insertMachine(tx, { ...describe(box, now), ...change });
  else await updateMachine(tx, row.id, { ...change, released_at: null, ends_at: null });
}

/** Notes which machines were given up, and that nothing has come of those that were only intended. */
export async function releaseMachines(tx: Db, box: UserVpsRow, given: VendorMachine[], now: Date): Promise<void> {
  for (const machine of given) {
    const row = await findRecord(tx, box, machine.provider_instance_id);
    const change = {
      provider_instance_id: machine.provider_instance_id,
      status: 'released',
      released_at: now,
      ends_at: machine.ends_at === null ? null : new Date(machine.ends_at),
    } as const;
    if (row === undefined) await insertMachine(tx, { ...describe(box, now), ...change });
    else await updateMachine(tx, row.id, change);
  }
  for (const row of await listMachinesOfBox(tx, box.id))
    if (row.provider_instance_id === null) await updateMachine(tx, row.id, { status: 'ended', ended_at: now });
}

async function findRecord(tx: Db, box: UserVpsRow, instanceId: string): Promise<MachineRow | undefined> {
  return (await findMachine(tx, box.provider, instanceId)) ?? findIntendedMachine(tx, toStackName(box.id));
}

function describe(box: UserVpsRow, now: Date) {
  return {
    user_vps_id: box.id,
    provider: box.provider,
    name: toStackName(box.id),
    region: box.region,
    product: toProduct(box),
    created_at: now,
  };
}
