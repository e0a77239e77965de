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
import { toProduct } from '../engine/box-spec.ts';
import { type BoxOutputs, toMachineName, type VendorMachine } from '../engine/engine.ts';

/** What a machine of a box is: the one that it runs on, or the one that it moves to. */
export type Place = Pick<UserVpsRow, 'provider' | 'region' | 'plan' | 'machine'>;

/** Notes that a machine is about to be asked of the vendor, before it is: no money is spent that isn't written down first. */
export async function intendMachine(db: Db, box: UserVpsRow, now: Date, place: Place = box): Promise<void> {
  const wanted = describe(box, now, place);
  const present = await listMachinesOfBox(db, box.id);
  if (present.some(({ name }) => name === wanted.name)) return;
  await insertMachine(db, wanted);
}

/** Notes that a box runs on the machine that its stack has made. */
export async function ownMachine(
  tx: Db,
  box: UserVpsRow,
  outputs: BoxOutputs,
  now: Date,
  place: Place = box,
): Promise<void> {
  const { provider_instance_id, region } = outputs;
  const row = await findRecord(tx, box, provider_instance_id, place);
  const change = { provider_instance_id, region, status: 'owned', user_vps_id: box.id } as const;
  if (row === undefined) await insertMachine(tx, { ...describe(box, now, place), ...change });
  else await updateMachine(tx, row.id, { ...change, released_at: null, ends_at: null });
}

/** Notes which machines were given up, and that nothing has come of those that were only intended. */
export async function releaseMachines(
  tx: Db,
  box: UserVpsRow,
  given: VendorMachine[],
  now: Date,
  place: Place = box,
): Promise<void> {
  for (const machine of given) {
    const row = await findRecord(tx, box, machine.provider_instance_id, { ...place, provider: machine.provider });
    const change = {
      provider_instance_id: machine.provider_instance_id,
      status: 'released',
      released_at: now,
      ends_at: machine.ends_at === null ? null : new Date(machine.ends_at),
    } as const;
    if (row === undefined)
      await insertMachine(tx, { ...describe(box, now, { ...place, provider: machine.provider }), ...change });
    else await updateMachine(tx, row.id, change);
  }
  for (const row of await listMachinesOfBox(tx, box.id))
    if (row.provider_instance_id === null) await updateMachine(tx, row.id, { status: 'ended', ended_at: now });
}

/** Notes that a machine was given up, and when it ends as far as the vendor says. */
export async function releaseMachine(
  db: Db,
  { provider, provider_instance_id }: Pick<VendorMachine, 'provider' | 'provider_instance_id'>,
  endsAt: string | null,
  now: Date,
): Promise<void> {
  const row = await findMachine(db, provider, provider_instance_id);
  const ends_at = endsAt === null ? null : new Date(endsAt);
  if (row !== undefined) await updateMachine(db, row.id, { status: 'released', released_at: now, ends_at });
}

async function findRecord(
  tx: Db,
  box: UserVpsRow,
  instanceId: string,
  { provider, machine }: Place,
): Promise<MachineRow | undefined> {
  const name = toMachineName(toStackName(box.id), machine);
  return (await findMachine(tx, provider, instanceId)) ?? findIntendedMachine(tx, name);
}

function describe(box: UserVpsRow, now: Date, place: Place = box) {
  return {
    user_vps_id: box.id,
    provider: place.provider,
    name: toMachineName(toStackName(box.id), place.machine),
    region: place.region,
    product: toProduct(place),
    created_at: now,
  };
}
