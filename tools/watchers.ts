import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Terminal } from './terminal.ts';

const FILE = '/proc/sys/fs/inotify/max_user_instances';
/** A booted Debian holds nine (systemd and its managers, logind, dbus, the consoles), and all machines are root's. */
const PER_MACHINE = 12;
/** What else on this computer may hold some. */
const OTHERS = 32;
/** For several sandboxes side by side; an instance that nobody has costs nothing. */
const WANTED = 1024;

/**
 * How many machines the kernel's number of inotify instances allows at once; one too many stops in the middle of its boot. Where
 * the number is smaller than it need be, it is raised until this computer restarts, which is said. A kernel that has no such number has
 * no such limit.
 */
export function makeRoomForMachines(terminal: Terminal, file = FILE): number {
  const present = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Infinity;
  const name = 'fs.inotify.max_user_instances';
  if (present < WANTED) {
    try {
      writeFileSync(file, String(WANTED));
      terminal.line(`Machines need more of ${name}: raised from ${present} to ${WANTED} until this computer restarts.`);
      return count(WANTED);
    } catch {
      terminal.line(`${name} is ${present} and can't be raised here: room for ${count(present)} machines.`);
    }
  }
  return count(present);
}

const count = (instances: number): number => Math.floor((instances - OTHERS) / PER_MACHINE);
