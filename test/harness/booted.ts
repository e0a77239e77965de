import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommand } from '../../tools/run-command.ts';
import type { CommandResult } from '../../tools/run-command.ts';
import { waitFor } from './wait.ts';

/** A booted Debian in a container: its own systemd, its own network with nothing but a loopback. */
export interface BootedMachine {
  /** The process id of its first process, as this computer counts. */
  leader(): number;
  /** A path of its file system, as this computer sees it. */
  file(name: string): string;
  /** Runs a program inside, as root or as `user`. Doesn't judge how it ends. */
  run(argv: string[], user?: string): Promise<CommandResult>;
  /** Starts a program of this computer in its network. */
  spawnInNetwork(argv: string[]): ChildProcess;
  write(name: string, content: string): void;
  /** Lets the system inside restart itself, and waits until it is up again. */
  reboot(): Promise<void>;
  close(): Promise<void>;
}

interface Container {
  leader(): number | undefined;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<unknown>;
}

/** Nothing of a first boot, and no waiting for a network that doesn't come. (systemd takes an empty unit for a masked one.) */
const BARE = {
  '/etc/cloud/cloud-init.disabled': '',
  '/etc/systemd/system/systemd-networkd-wait-online.service': '',
};
const CGROUPS = '/sys/fs/cgroup';
const BOOT_MS = 60_000;
const OFF_MS = 20_000;

// The layers are put together in a mount namespace of this process alone, which whatever ends it takes along.
const SCRIPT = `
set -e
lower=$1 upper=$2 work=$3 root=$4
shift 4
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done
shift
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
exec "$@"`;

// nspawn mounts the older kind of control groups read only. Within the group of the machine alone, systemd may have that of
// memory, and its limits then hold as on a real machine.
const INIT = 'mount -o remount,rw,bind /sys/fs/cgroup/memory 2>/dev/null; exec /lib/systemd/systemd';

/** Boots `tree` with a layer of its own over it, in which `files` are written before. Root, on Linux. */
export async function bootMachine(tree: string, files: Record<string, string>): Promise<BootedMachine> {
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-booted-'));
  const name = path.basename(folder).replace('spoq-booted-', 'spoq-').toLowerCase();
  const layer = (part: string): string => path.join(folder, part);
  for (const part of ['upper', 'work', 'root']) mkdirSync(layer(part), { mode: 0o755 });
  for (const [file, content] of Object.entries({ ...BARE, ...files })) writeUnder(layer('upper'), file, content);
  const groups = makeControlGroups(name);
  const nspawn = ['systemd-nspawn', '-q', `--directory=${layer('root')}`, `--machine=${name}`, '--register=no'];
  const flags = ['--private-network', '--console=pipe', '--kill-signal=SIGRTMIN+4', '--link-journal=no'];
  const keep = existsSync('/run/systemd/system') ? [] : ['--keep-unit'];
  const layers = [tree, layer('upper'), layer('work'), layer('root')];
  const argv = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', 'sh', '-c', SCRIPT, 'sh'];
  let said = '';
  const start = (): Container => {
    const program = ['/bin/sh', '-c', INIT];
    const child = spawn('setpriv', [...argv, ...layers, ...groups, '--', ...nspawn, ...flags, ...keep, ...program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    const ended = once(child, 'close');
    const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
    return {
      leader: () => (isOver() ? undefined : findLeader(child.pid)),
      kill: (signal) => child.kill(signal),
      ended,
    };
  };
  let container = start();

  const machine: BootedMachine = {
    leader: () => {
      const pid = container.leader();
      if (pid === undefined) throw new Error(`the machine is off: ${said}`);
      return pid;
    },
    file: (file) => `/proc/${machine.leader()}/root${file}`,
    run: (command, user) => {
      const as = user === undefined ? [] : ['runuser', '-u', user, '--'];
      const environment = ['env', '-i', 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8'];
      return runCommand('nsenter', ['-t', String(machine.leader()), '-a', ...environment, ...as, ...command]);
    },
    spawnInNetwork: (command) =>
      spawn('nsenter', ['-t', String(machine.leader()), '-n', ...command], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    write: (file, content) => writeUnder(`/proc/${machine.leader()}/root`, file, content),
    async reboot() {
      const former = machine.leader();
      await machine.run(['systemctl', 'reboot']);
      await waitFor('the system to go down', () => container.leader() !== former, OFF_MS);
      // Without a systemd of this computer nspawn leaves it to whoever started it to start it again.
      if (container.leader() === undefined) {
        await container.ended;
        container = start();
      }
      await waitForSystem(machine);
    },
    async close() {
      if (container.leader() !== undefined) container.kill('SIGTERM');
      const timer = setTimeout(() => container.kill('SIGKILL'), OFF_MS);
      await container.ended;
      clearTimeout(timer);
      await waitFor('the control groups to be empty', () => groups.every((group) => removeControlGroup(group)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await waitForSystem(machine);
  } catch (cause) {
    await machine.close();
    throw new Error(`the machine did not boot: ${said}`, { cause });
  }
  return machine;
}

async function waitForSystem(machine: BootedMachine): Promise<void> {
  await waitFor(
    'the system to be up',
    async () => /^(running|degraded)$/m.test((await machine.run(['systemctl', 'is-system-running'])).stdout),
    BOOT_MS,
  );
}

/** Written through a path of this computer: names below are as the machine sees them, and no link leads out. */
function writeUnder(root: string, name: string, content: string): void {
  mkdirSync(path.join(root, path.dirname(name)), { recursive: true, mode: 0o755 });
  writeFileSync(path.join(root, name), content);
}

/** nspawn's child: the first process of the container. */
function findLeader(pid: number | undefined): number | undefined {
  try {
    const [leader] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return leader ? Number(leader) : undefined;
  } catch {
    return undefined; // it has ended
  }
}

/** Without a systemd of this computer every machine needs control groups of its own, or all would share the same. */
function makeControlGroups(name: string): string[] {
  const hybrid = ['systemd', 'unified', 'memory'].map((kind) => path.join(CGROUPS, kind));
  const roots = existsSync(path.join(CGROUPS, 'cgroup.procs')) ? [CGROUPS] : hybrid;
  const groups = roots
    .filter((root) => existsSync(path.join(root, 'cgroup.procs')))
    .map((root) => path.join(root, name));
  for (const group of groups) mkdirSync(group, { recursive: true });
  return groups;
}

/** From the inside out. False while a process of it is still ending. */
function removeControlGroup(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory() && !removeControlGroup(path.join(group, entry.name))) return false;
    rmdirSync(group);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EBUSY') return false;
    if (code === 'ENOENT') return true;
    throw error;
  }
}
