import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Console } from '../console.ts';
import { endStrayProcess } from '../stray-process.ts';
import { hasSystemd, makeCgroups, removeCgroups } from './cgroup.ts';
import { diskOf } from './disk.ts';
import { run } from './run.ts';

/** Below the machine's folder. */
export const PID_FILE = 'nspawn.pid';

/** What nspawn ends with when the system inside has asked for a reboot (systemd's EXIT_FORCE_RESTART). */
const REBOOT = 133;
/** From asking the system to power off until the plug is pulled. */
const GRACE_MS = 15_000;

// The layers are put together in a mount namespace of this process alone, and nspawn is the first process of a process namespace:
// whatever ends it takes mounts and processes along. It is killed with the sandbox (--pdeathsig), so no machine outlives that.
const SCRIPT = `
set -e
lower=$1 upper=$2 work=$3 root=$4
shift 4
while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs"; shift; done
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
  /** It has ended without having been asked to: the system inside powered itself off, or wants to boot again. */
  onEnd(wants: 'off' | 'reboot'): void;
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
  await awaitQuiet(folder);
  await removeLink(`vb-${name}`);
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
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const argv = [...namespaces, 'sh', '-c', SCRIPT, 'sh', tree, upper, work, root];
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
    if (!asked) options.onEnd(child.exitCode === REBOOT ? 'reboot' : 'off');
  });

  const nspawnPid = (): number | undefined =>
    child.pid === undefined || hasEnded(child) ? undefined : findChild(child.pid);
  return {
    leader() {
      const pid = nspawnPid();
      const inner = pid === undefined ? undefined : findChild(pid);
      // While it starts there is another child, which makes way.
      return inner !== undefined && isFirstProcess(inner) ? inner : undefined;
    },
    async powerOff() {
      asked = true;
      const pid = nspawnPid();
      if (pid !== undefined) process.kill(pid, 'SIGTERM'); // nspawn passes it on as a request to power off
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether a process is the first one of a process namespace: the last of its numbers is 1. */
function isFirstProcess(pid: number): boolean {
  try {
    return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // it ended in this moment
  }
}

/** The host's end of a machine's cable goes away with the machine, but not always before it is wanted again. */
async function removeLink(name: string): Promise<void> {
  const exists = (): boolean => existsSync(`/sys/class/net/${name}`);
  if (!exists()) return;
  await run('ip', ['link', 'delete', name]).catch((error: unknown) => {
    if (exists()) throw error;
  });
}

/** Waits until a system that was killed has let go of its disk: its last process ends a moment after the one that was killed. */
async function awaitQuiet(folder: string): Promise<void> {
  const isUsed = (): boolean =>
    readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && readCommandLine(entry).includes(`${folder}/`));
  for (const until = Date.now() + GRACE_MS; isUsed(); await sleep(20))
    if (Date.now() > until) throw new Error(`Something still uses ${folder}`);
}

function readCommandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
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
