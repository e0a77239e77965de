import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import path from 'node:path';
import { getBaseTree } from './base-tree.ts';
import type { BaseTree } from './base-tree.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { canInstallPackages, installPackages } from './system-packages.ts';
import type { PackageDeps } from './system-packages.ts';
import { ToolError } from './terminal.ts';
import { makeRoomForMachines } from './watchers.ts';

export const MACHINE_KINDS = ['nspawn', 'process'] as const;
export type MachineKindName = (typeof MACHINE_KINDS)[number];

/** What the sandbox's machines are made of, and why. */
export type MachineChoice =
  | { kind: 'process'; because: string }
  | { kind: 'nspawn'; because: string; tree: BaseTree; limit: number };

/** Programs that booted machines need, and that people use to talk to them, with Debian's packages that bring them. */
const PROGRAMS: Record<string, string> = {
  'systemd-nspawn': 'systemd-container',
  debootstrap: 'debootstrap',
  ip: 'iproute2',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  ssh: 'openssh-client',
  rsync: 'rsync',
};
/** A box needs 150 MB while it is idle and twice that while it is set up. */
const MACHINE_BYTES = 400e6;
const MOST_MACHINES = 24;

export interface MachineDeps extends PackageDeps {
  root: string;
}

/** Reads SPOQ_SANDBOX_MACHINES; undefined leaves it to us. */
export function parseMachineKind(value: string | undefined): MachineKindName | undefined {
  if (value === undefined || value === '') return undefined;
  const kind = MACHINE_KINDS.find((name) => name === value);
  if (kind === undefined)
    throw new ToolError(`SPOQ_SANDBOX_MACHINES is '${value}'; it is one of ${MACHINE_KINDS.join(', ')}.`, {
      exitCode: 64,
    });
  return kind;
}

/**
 * Booted machines wherever this computer can have them, processes elsewhere. `wanted` overrides, and then what stands in the way is
 * an error. Installs what is missing, and makes the system that machines start from, having said so.
 */
export async function chooseMachines(deps: MachineDeps, wanted?: MachineKindName): Promise<MachineChoice> {
  if (wanted === 'process') return { kind: 'process', because: 'as SPOQ_SANDBOX_MACHINES says' };
  const obstacle = await findObstacle(deps);
  if (obstacle !== undefined) {
    if (wanted === 'nspawn') throw new ToolError(`Machines that boot can't be had here: ${obstacle}.`);
    return { kind: 'process', because: obstacle };
  }
  const { root, env, terminal, signal } = deps;
  const tree = await terminal.step('System of the machines', (onProgress) =>
    getBaseTree({ root, env, signal, onProgress }),
  );
  const room = Math.min(Math.floor(freemem() / MACHINE_BYTES), makeRoomForMachines(terminal));
  const limit = Math.max(2, Math.min(MOST_MACHINES, room));
  return {
    kind: 'nspawn',
    tree,
    limit,
    because: wanted === undefined ? 'root on Linux' : 'as SPOQ_SANDBOX_MACHINES says',
  };
}

/** Why no machine can boot here, as the end of a sentence; undefined when one can. */
async function findObstacle(deps: MachineDeps): Promise<string | undefined> {
  const { env } = deps;
  if (process.platform !== 'linux') return 'they need Linux';
  if (process.getuid?.() !== 0) return 'they need root';
  const missing = (): string[] => Object.keys(PROGRAMS).filter((name) => findOnPath(name, env['PATH']) === undefined);
  const packages = [...new Set(missing().map((name) => PROGRAMS[name] ?? name))];
  if (packages.length > 0) {
    if (!canInstallPackages(env)) return `${packages.join(', ')} must be installed first`;
    const failure = await installPackages(packages, deps);
    if (missing().length > 0) return `${packages.join(', ')} could not be installed (${failure ?? 'not on PATH'})`;
  }
  // Root of a container is root by name only: what matters is tried.
  const script = 'mount -t tmpfs none /mnt && ip link add spoq-probe type bridge && ip link delete spoq-probe';
  const probe = await runCommand('unshare', ['--mount', '--net', 'sh', '-c', script], { env });
  if (probe.code !== 0) return `this computer lets root neither mount nor make networks (${probe.stderr.trim()})`;
  if (!/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) {
    await runCommand('modprobe', ['overlay'], { env });
    if (!/\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return 'the kernel has no overlayfs';
  }
  return undefined;
}

/** The kind that the boxes of a state folder are of: they can't become the other kind. */
export function rememberedKind(stateDir: string): MachineKindName | undefined {
  const file = path.join(stateDir, 'machines');
  if (existsSync(file)) return parseMachineKind(readFileSync(file, 'utf8').trim());
  // Boxes that were made before there was a choice.
  return existsSync(path.join(stateDir, 'sandbox', 'machines.json')) ? 'process' : undefined;
}

export function rememberKind(stateDir: string, kind: MachineKindName): void {
  writeFileSync(path.join(stateDir, 'machines'), `${kind}\n`);
}

/** The sandbox's arguments. Booted machines reach this computer's control plane by `baseUrl`, and `outside` hosts. */
export function machineArguments(
  choice: MachineChoice,
  { conductor, baseUrl, outside }: { conductor: readonly string[]; baseUrl: string; outside: readonly string[] },
): string[] {
  if (choice.kind === 'process') return conductor.flatMap((word) => ['--conductor', word]);
  const { root, tools } = choice.tree;
  const flags = ['--tree', root, '--pebble', path.join(tools, 'usr', 'bin', 'pebble'), '--limit', String(choice.limit)];
  return [...flags, '--control-plane', baseUrl, ...outside.flatMap((host) => ['--outside', host])];
}
