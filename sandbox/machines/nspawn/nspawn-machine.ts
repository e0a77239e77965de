import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createConsole } from '../console.ts';
import { createTurns } from '../turns.ts';
import type { FirstBoot, Machine, MachineKind, MachineStatus } from '../machine.ts';
import { endStrayProcess } from '../stray-process.ts';
import { bootContainer, type Container, PID_FILE } from './container.ts';
import { diskOf, writeDisk } from './disk.ts';
import type { Network } from './network.ts';

const LEAVES_OUT = [
  'It shares this computer’s kernel: a kernel update of its own has no effect.',
  'It is Debian 12, whichever image the vendor was asked for, and has Spoq’s packages already: it has no way to an archive.',
  'Its address is from a range kept for tests (RFC 2544) and is reached from this computer only.',
] as const;

/** What systemd says when the system is up, on the console. */
const UP = /Reached target .*multi-user\.target/;

export interface NspawnOptions {
  /** The system that machines start from. */
  tree: string;
  network: Network;
  /** How many may run at once. */
  limit: number;
}

/** Machines that really boot: a Debian each, in a container of its own with its own address. Linux, root. */
export function createNspawnKind({ tree, network, limit }: NspawnOptions): MachineKind {
  const running = new Set<string>();
  const boot = async (machine: NspawnParts): Promise<Container> => {
    if (!running.has(machine.id) && running.size >= limit)
      throw new Error(`${limit} machines run already, which is as many as this computer is allowed`);
    running.add(machine.id);
    return bootContainer({
      ...machine,
      name: `${network.bridge}-${machine.address.split('.')[3]}`,
      tree,
      bridge: network.bridge,
    });
  };
  return {
    name: 'nspawn',
    leaves_out: LEAVES_OUT,
    addresses: [network.prefix],
    createMachine: (id, folder, address) =>
      createNspawnMachine({ id, folder, address, gateway: network.gateway, boot, onOff: () => running.delete(id) }),
  };
}

/** What a boot needs of a machine. */
interface NspawnParts {
  id: string;
  folder: string;
  address: string;
  console: ReturnType<typeof createConsole>;
  onLine(line: string): void;
  onEnd(wants: 'off' | 'reboot'): void;
}

interface NspawnMachineOptions {
  id: string;
  folder: string;
  address: string;
  gateway: string;
  boot(parts: NspawnParts): Promise<Container>;
  onOff(): void;
}

function createNspawnMachine(options: NspawnMachineOptions): Machine {
  const { id, folder, address, gateway } = options;
  const console = createConsole();
  const inTurn = createTurns();
  let container: Container | undefined;
  let isUp = false;

  const switchOff = (): void => {
    container = undefined;
    isUp = false;
    options.onOff();
  };
  const powerOff = async (): Promise<void> => {
    if (container) console.say(`${id}: power off`);
    await container?.powerOff();
    switchOff();
    await endStrayProcess(join(folder, PID_FILE), folder);
  };
  const boot = async (): Promise<void> => {
    if (container) return;
    if (!existsSync(diskOf(folder).upper)) writeDisk(folder, { id, address, gateway, firstBoot: undefined });
    console.say(`${id}: power on`);
    const parts = { id, folder, address, console };
    const onEnd = (wants: 'off' | 'reboot'): void => {
      console.say(`${id}: it has ${wants === 'off' ? 'switched itself off' : 'ended to boot again'}`);
      switchOff();
      if (wants === 'reboot') void inTurn(boot).catch(() => {}); // said on the console
    };
    const onLine = (line: string): void => {
      isUp ||= UP.test(line);
    };
    container = await options.boot({ ...parts, onLine, onEnd }).catch((error: unknown) => {
      options.onOff(); // it takes nobody's place
      console.say(`${id}: it can't be switched on: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    });
  };
  const reinstall = async (firstBoot: FirstBoot | undefined): Promise<void> => {
    await powerOff();
    writeDisk(folder, { id, address, gateway, firstBoot });
    console.say(`${id}: installed${firstBoot ? '' : ' bare'}`);
  };
  const status = (): MachineStatus => {
    if (!container) return 'off';
    return isUp ? 'running' : 'booting';
  };

  return {
    get root() {
      const leader = container?.leader();
      return leader === undefined ? diskOf(folder).upper : `/proc/${leader}/root`;
    },
    hasConductor: () => existsSync(join(diskOf(folder).upper, 'usr/local/bin/conductor')),
    reinstall: (firstBoot) => inTurn(() => reinstall(firstBoot)),
    boot: () => inTurn(boot),
    powerOff: () => inTurn(powerOff),
    destroy: () =>
      inTurn(async () => {
        await powerOff();
        rmSync(folder, { recursive: true, force: true });
      }),
    status,
    console: () => console.lines(),
    front: () => (container ? { host: address, port: 443 } : undefined),
    leader: () => container?.leader(),
  };
}
