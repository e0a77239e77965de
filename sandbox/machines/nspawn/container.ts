import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Console } from '../console.ts';
import { endStrayProcess } from '../stray-process.ts';
import { hasSystemd, makeCgroups, removeCgroups } from './cgroup.ts';
import { diskOf } from './disk.ts';

/** Below the machine's folder. */
export const PID_FILE = 'nspawn.pid';

/** From asking the system to power off until the plug is pulled. */
const GRACE_MS = 15_000;

// The layers are put together in a mount namespace of this process alone: whatever ends it takes the mount along. Being killed with
// the sandbox (--pdeathsig), and the system inside with it, no machine outlives the sandbox.
const SCRIPT = `
set -e
lower=$1 upper=$2 work=$3 root=$4
shift 4
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done
shift
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
exec "$@"
`;

export interface ContainerOptions {
  /** Names its interface and control group: at most 11 characters. */
  name: string;
  folder: string;
  tree: string;
  bridge: string;
  console: Console;
  onLine(line: string): void;
  /** It has ended without having been asked to: the system inside powered itself off. */
  onEnd(): void;
}

/** A booted system. */
export interface Container {
  /** The process id of its first process, as this computer counts, while there is one. */
  leader(): number | undefined;
  /** Asks the system to power off, and pulls the plug when it takes too long. */
  powerOff(): Promise<void>;
}

/** Boots the tree with the machine's own layer over it. */
export async function bootContainer(options: ContainerOptions): Promise<Container> {
  const { name, folder, tree, bridge, console } = options;
  const pidFile = join(folder, PID_FILE);
  await endStrayProcess(pidFile, folder);
  const { upper, work, root } = diskOf(folder);
  const nspawn = ['systemd-nspawn', '--quiet', '--boot', `--directory=${root}`, `--machine=${name}`, '--register=no'];
  if (!hasSystemd) nspawn.push('--keep-unit');
  nspawn.push(
    `--network-bridge=${bridge}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--console=read-only',
  );
  const argv = ['--mount', '--propagation', 'private', 'sh', '-c', SCRIPT, 'sh', tree, upper, work, root];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...argv, ...makeCgroups(name), '--', ...nspawn], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: Ctrl-C in a terminal reaches the sandbox alone, which powers off in order.
    detached: true,
  });
  if (child.pid !== undefined) writeFileSync(pidFile, String(child.pid));
  console.follow(child.stdout, options.onLine);
  console.follow(child.stderr);
  let asked = false;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      console.say(`${name}: ${error.message}`);
      resolve();
    });
    child.once('close', () => resolve());
  }).then(async () => {
    rmSync(pidFile, { force: true });
    await removeCgroups(name);
    if (!asked) options.onEnd();
  });

  return {
    leader: () => (child.pid === undefined || hasEnded(child) ? undefined : findChild(child.pid)),
    async powerOff() {
      asked = true;
      if (!hasEnded(child)) child.kill('SIGTERM'); // nspawn passes it on as a request to power off
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** The first child of a process. */
function findChild(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return child ? Number(child) : undefined;
  } catch {
    return undefined; // it ended in this moment
  }
}
