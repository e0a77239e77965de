import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

const MOUNT = '/sys/fs/cgroup';
/** Where systemd keeps its own hierarchies when the kernel's are of both kinds. */
const HYBRID = ['systemd', 'unified'];

/** Whether this computer's own systemd gives each machine a place of its own among its processes. */
export const hasSystemd = existsSync('/run/systemd/system');

/** The folders of a machine's control group: without systemd each machine needs one, or all would share the same. */
export function listCgroups(name: string): string[] {
  if (hasSystemd) return [];
  const roots = HYBRID.map((root) => join(MOUNT, root)).filter((root) => existsSync(join(root, 'cgroup.procs')));
  const all = roots.length > 0 ? roots : existsSync(join(MOUNT, 'cgroup.procs')) ? [MOUNT] : [];
  return all.map((root) => join(root, name));
}

export function makeCgroups(name: string): string[] {
  const folders = listCgroups(name);
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  return folders;
}

/** Takes a machine's control group away, once no process is in it. */
export async function removeCgroups(name: string): Promise<void> {
  for (const folder of listCgroups(name)) await removeTree(folder);
}

/** Control groups have files that can't be removed; their folders go from the inside out. */
async function removeTree(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  try {
    rmdirSync(folder);
  } catch (error) {
    // A process that is just ending still counts; an empty group costs nothing and is used again.
    if (!(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
  }
}
