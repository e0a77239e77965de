import { readFileSync } from 'node:fs';

/** Whether a process runs; a negative number asks for any of the process group. A zombie, which only waits to be counted, does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (pid < 0 || process.platform !== 'linux') return true;
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // it ended while we looked
  }
}
