import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConductorProcess, PID_FILE, startConductor } from './conductor-process.ts';
import { createConsole } from './console.ts';
import { CONFIG_PATH, hasConductor, locate, readEnvironment, writeDisk, writeMarkerPort } from './disk.ts';
import { type BootFile, parseFirstBoot } from './first-boot.ts';
import type { FirstBoot, Machine, MachineKind } from './machine.ts';
import { endStrayProcess } from './stray-process.ts';
import { createTurns } from './turns.ts';

/** The owner's home, with the workspaces. */
const HOME_PATH = '/home/spoq';
/** Linux takes 107 bytes for the path of a Unix socket, macOS 103. */
const SOCKET_PATH_LIMIT = 103;

const LEAVES_OUT = [
  'No operating system boots: the conductor runs as a process of yours, on your own system.',
  'Files are written where first boot would put them, under a folder; their owners and the users are not made.',
  'No command of the user-data or the script runs: no packages, no systemd units, no firewall.',
  'No sshd and no SSH password: nobody signs in to this machine.',
  'No Caddy and no certificate: the sandbox front door speaks plain HTTP instead.',
  'The address is from a range kept for examples (RFC 5737) and answers only through the front door.',
] as const;

/** RFC 5737's ranges for examples: never anybody's, so that a mistake reaches no stranger. */
const RANGES = ['198.51.100', '203.0.113'] as const;

/** Machines that are one conductor process each. `conductor` is the command and its first arguments. */
export function createProcessKind(conductor: readonly string[]): MachineKind {
  return {
    name: 'process',
    leaves_out: LEAVES_OUT,
    addresses: RANGES,
    createMachine: (id, folder) => createProcessMachine(id, folder, conductor),
  };
}

function createProcessMachine(id: string, folder: string, conductor: readonly string[]): Machine {
  const root = join(folder, 'root');
  const socket = chooseSocket(folder);
  const console = createConsole();
  let running: ConductorProcess | undefined;
  let powered = false;
  const inTurn = createTurns();

  const powerOff = async (): Promise<void> => {
    if (powered) console.say(`${id}: power off`);
    powered = false;
    await running?.stop();
    running = undefined;
    await endStrayProcess(join(folder, PID_FILE), folder);
    rmSync(socket, { force: true });
  };

  const boot = async (): Promise<void> => {
    if (powered) return;
    powered = true;
    console.say(`${id}: power on`);
    mkdirSync(root, { recursive: true });
    if (!hasConductor(root)) {
      console.say(`${id}: a bare system, nothing to start`);
      return;
    }
    const state = join(folder, 'state');
    const home = locate(root, HOME_PATH);
    mkdirSync(home, { recursive: true });
    const listen = ['--socket', socket, '--port', '0', '--state', state];
    const flags = ['--config', locate(root, CONFIG_PATH), ...listen, '--files', home];
    running = await startConductor({
      argv: [...conductor, ...flags],
      env: readEnvironment(root),
      folder,
      console,
      onListening: (port) => writeMarkerPort(root, port),
    });
  };

  const reinstall = async (firstBoot: FirstBoot | undefined): Promise<void> => {
    await powerOff();
    const files = firstBoot ? readFiles(firstBoot) : [];
    writeDisk(folder, root, files);
    console.say(`${id}: installed, ${files.length} files written`);
  };

  const readFiles = (firstBoot: FirstBoot): BootFile[] => {
    try {
      return parseFirstBoot(firstBoot);
    } catch (error) {
      // As on a real machine: a document that can't be read leaves a bare system, and only the console says why.
      console.say(`${id}: first boot failed: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  };

  return {
    root,
    hasConductor: () => hasConductor(root),
    reinstall: (firstBoot) => inTurn(() => reinstall(firstBoot)),
    boot: () => inTurn(boot),
    powerOff: () => inTurn(powerOff),
    destroy: () =>
      inTurn(async () => {
        await powerOff();
        rmSync(folder, { recursive: true, force: true });
      }),
    status() {
      if (!powered) return 'off';
      if (!running || running.listening()) return 'running';
      return running.restarting() ? 'restarting' : 'booting';
    },
    console: () => console.lines(),
    front: () => (running?.listening() ? { socketPath: socket } : undefined),
    leader: () => undefined,
  };
}

/** `remote.sock` in the machine's folder, or, where that path is too long for a socket, a short one of its own. */
function chooseSocket(folder: string): string {
  const inFolder = join(folder, 'remote.sock');
  if (Buffer.byteLength(inFolder) <= SOCKET_PATH_LIMIT) return inFolder;
  return join(tmpdir(), `spoq-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}.sock`);
}
