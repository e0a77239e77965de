import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Store } from '../state.ts';
import type { FirstBoot, Front, Machine, MachineKind, MachineRecord, MachineStatus } from './machine.ts';

export interface MachinesState {
  records: MachineRecord[];
}

/** A machine as GET /api/machines shows it. */
export interface MachineView extends Omit<MachineRecord, 'installing'> {
  kind: string;
  status: MachineStatus;
  console: string[];
  /** Whether a conductor is installed; a bare system has none. */
  has_conductor: boolean;
  /** The folder that stands for its `/`. */
  root: string;
  leaves_out: readonly string[];
}

/** All machines of the sandbox: what vendors rent out. Operations begin at once and go on in the background. */
export interface Machines {
  /** A new machine with an address of its own, switched off and empty. */
  create(id: string, vendor: MachineRecord['vendor'], name: string): MachineRecord;
  rename(id: string, name: string): void;
  /** Wipes and installs; switched off afterwards. */
  reinstall(id: string, firstBoot: FirstBoot | undefined): void;
  power(id: string, on: boolean): void;
  destroy(id: string): void;
  list(): MachineView[];
  /** Where the machine with an address takes connections: undefined when no machine has it, null when it is off or starting. */
  findFront(ipv4: string): Front | null | undefined;
  /** The first process of a machine that is on, to look inside (nsenter); only of kinds that boot. */
  findLeader(id: string): number | undefined;
  /** Resolves when what was begun has happened. */
  settled(): Promise<void>;
  /** Switches every machine off, without forgetting which were on. */
  close(): Promise<void>;
}

export interface MachinesOptions {
  /** Holds a folder per machine. */
  folder: string;
  store: Store<MachinesState>;
  kind: MachineKind;
  log: Logger;
}

const FIRST_HOST = 10;
const LAST_HOST = 250;

/** Opens the machines of a former run and switches those on that were on. */
export function createMachines({ folder, store, kind, log }: MachinesOptions): Machines {
  const machines = new Map<string, Machine>();
  const pending = new Set<Promise<void>>();

  const open = ({ id, ipv4 }: MachineRecord): Machine => {
    const machine = kind.createMachine(id, join(folder, id), ipv4);
    machines.set(id, machine);
    return machine;
  };
  const get = (id: string): Machine => {
    const machine = machines.get(id);
    if (!machine) throw new Error(`There is no machine ${id}`);
    return machine;
  };
  const setRecord = (id: string, change: Partial<MachineRecord>): void => {
    store.update(({ records }) => Object.assign(records.find((record) => record.id === id) ?? {}, change));
  };
  const begin = (id: string, operation: Promise<void>): void => {
    const watched = operation
      .catch((error: unknown) => log.error({ err: error, machine: id }, 'machine operation failed'))
      .finally(() => pending.delete(watched));
    pending.add(watched);
  };
  const settled = async (): Promise<void> => {
    while (pending.size > 0) await Promise.all(pending);
  };

  const install = async (id: string, firstBoot: FirstBoot | undefined): Promise<void> => {
    await get(id).reinstall(firstBoot);
    store.update(({ records }) => {
      const record = records.find((one) => one.id === id);
      if (record) delete record.installing;
    });
  };

  for (const record of store.data.records) {
    const { id, powered, installing } = record;
    const machine = open(record);
    if (installing !== undefined) begin(id, install(id, installing ?? undefined));
    begin(id, powered ? machine.boot() : machine.powerOff());
  }
  for (const id of listFolders(folder)) {
    if (!machines.has(id)) begin(id, kind.createMachine(id, join(folder, id), '').destroy());
  }

  return {
    create(id, vendor, name) {
      const ipv4 = takeAddress(kind.addresses, store.data.records);
      const record = { id, vendor, name, ipv4, powered: false };
      store.update((data) => {
        // One with the same id was made for an order that a killed vendor forgot.
        data.records = [...data.records.filter((one) => one.id !== id), record];
      });
      open(record);
      return record;
    },
    rename: (id, name) => setRecord(id, { name }),
    reinstall(id, firstBoot) {
      setRecord(id, { powered: false, installing: firstBoot ?? null });
      begin(id, install(id, firstBoot));
    },
    power(id, on) {
      setRecord(id, { powered: on });
      begin(id, on ? get(id).boot() : get(id).powerOff());
    },
    destroy(id) {
      const machine = get(id);
      machines.delete(id);
      store.update((data) => {
        data.records = data.records.filter((record) => record.id !== id);
      });
      begin(id, machine.destroy());
    },
    list: () =>
      store.data.records.map((record) => {
        const machine = get(record.id);
        const { id, vendor, name, ipv4, powered } = record;
        return {
          id,
          vendor,
          name,
          ipv4,
          powered,
          kind: kind.name,
          status: machine.status(),
          console: machine.console(),
          has_conductor: machine.hasConductor(),
          root: machine.root,
          leaves_out: kind.leaves_out,
        };
      }),
    findFront(ipv4) {
      const record = store.data.records.find((one) => one.ipv4 === ipv4);
      return record && (get(record.id).front() ?? null);
    },
    findLeader: (id) => get(id).leader(),
    settled,
    async close() {
      await settled();
      await Promise.all([...machines.values()].map((machine) => machine.powerOff()));
    },
  };
}

function listFolders(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The first address that no machine has. */
function takeAddress(ranges: readonly string[], records: MachineRecord[]): string {
  const taken = new Set(records.map((record) => record.ipv4));
  for (const range of ranges) {
    for (let host = FIRST_HOST; host <= LAST_HOST; host += 1) {
      if (!taken.has(`${range}.${host}`)) return `${range}.${host}`;
    }
  }
  throw new Error(`The sandbox has no address left: ${taken.size} machines exist`);
}
