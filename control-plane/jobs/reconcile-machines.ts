import { PROVIDERS } from '../../contract/vps.ts';
import { isConfigured } from '../commands/plan-move.ts';
import {
  findIntendedMachine,
  findMachine,
  insertMachine,
  listLiveMachines,
  updateMachine,
  type MachineRow,
} from '../db/machines.ts';
import { findBox } from '../db/user-vps.ts';
import type { VendorMachine } from '../engine/engine.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** An intention that nothing has come of for so long was given up. */
const INTENDED_MS = 3_600_000;
const MACHINE_NAME = /^box-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-[1-9]\d*)?$/;
const RELEASED_NAME = /^released[- ]/;

/**
 * Compares what each vendor bills for with what we know of: machines that are gone are ended, dates are brought up to date,
 * and a machine of ours that nobody wrote down is, and reported.
 */
export async function reconcileMachines(deps: WorkerDeps, signal: AbortSignal): Promise<void> {
  for (const provider of PROVIDERS.filter((name) => isConfigured(deps.config, name))) {
    // The records first: what was written down before the vendor was asked, and isn't in its answer, is gone. The other way
    // round, a machine that was made in between would be taken for gone.
    const records = await listLiveMachines(deps.db, provider);
    const inventory = await deps.engine.inventory(provider, { signal });
    for (const record of records) await updateRecord(deps, record, inventory);
    const known = new Set(records.map((record) => record.provider_instance_id));
    for (const machine of inventory.filter((one) => !known.has(one.provider_instance_id)))
      await recordStranger(deps, machine);
  }
}

async function updateRecord(deps: WorkerDeps, record: MachineRow, inventory: VendorMachine[]): Promise<void> {
  if (record.provider_instance_id === null) {
    const age = deps.now().getTime() - record.created_at.getTime();
    if (age > INTENDED_MS && !inventory.some((machine) => machine.name === record.name))
      await updateMachine(deps.db, record.id, { status: 'ended', ended_at: deps.now() });
    return;
  }
  const machine = inventory.find((one) => one.provider_instance_id === record.provider_instance_id);
  if (machine !== undefined) {
    const endsAt = machine.ends_at === null ? null : new Date(machine.ends_at);
    if (endsAt?.getTime() !== record.ends_at?.getTime()) await updateMachine(deps.db, record.id, { ends_at: endsAt });
    return;
  }
  const about = { machine_id: record.id, provider: record.provider, instance_id: record.provider_instance_id };
  if (record.status === 'owned') deps.log.error(about, 'a machine that a box runs on is gone from its vendor');
  else deps.log.info(about, 'a machine has ended');
  await updateMachine(deps.db, record.id, { status: 'ended', ended_at: deps.now() });
}

/** Machines of others, in an account that isn't ours alone, are none of our business. */
async function recordStranger(deps: WorkerDeps, machine: VendorMachine): Promise<void> {
  const { provider, name, region, product, provider_instance_id: id } = machine;
  const boxId = MACHINE_NAME.exec(name)?.[1];
  const released = RELEASED_NAME.test(name);
  if (boxId === undefined && !released) return;
  const present = await findMachine(deps.db, provider, id);
  // Written down while the vendor was being asked.
  if (present !== undefined && present.status !== 'ended') return;
  const facts = {
    provider_instance_id: id,
    status: released ? 'released' : 'made',
    ends_at: machine.ends_at === null ? null : new Date(machine.ends_at),
  } as const;
  if (present !== undefined) {
    deps.log.error({ provider, name, instance_id: id }, 'a machine that had ended is there again');
    return updateMachine(deps.db, present.id, { ...facts, ended_at: null });
  }
  const intended = await findIntendedMachine(deps.db, name);
  if (intended !== undefined) return updateMachine(deps.db, intended.id, facts);
  const box = boxId === undefined ? undefined : await findBox(deps.db, boxId);
  deps.log.error({ provider, name, instance_id: id }, 'a machine that nobody wrote down');
  await insertMachine(deps.db, {
    ...facts,
    user_vps_id: box?.id ?? null,
    provider,
    name,
    region,
    product,
    created_at: deps.now(),
  });
}
