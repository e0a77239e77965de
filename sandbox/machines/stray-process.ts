import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const WAIT_MS = 5_000;

/**
 * Ends the process that a sandbox killed at once could not end itself. The number alone proves nothing, since it may
 * belong to another process by now: only one whose command line names the machine's folder is ended.
 */
export async function endStrayProcess(pidFile: string, folder: string): Promise<void> {
  const pid = readPid(pidFile);
  if (pid === undefined) return;
  const isOurs = async (): Promise<boolean> => (await readCommand(pid)).includes(folder);
  if (await isOurs()) {
    process.kill(pid, 'SIGKILL');
    const deadline = Date.now() + WAIT_MS;
    while (Date.now() < deadline && (await isOurs())) await sleep(20);
  }
  rmSync(pidFile, { force: true });
}

/** The command line of a process; empty when there is none. */
async function readCommand(pid: number): Promise<string> {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // No such process, or a system without /proc.
  }
  if (process.platform === 'linux') return '';
  try {
    return (await run('ps', ['-o', 'command=', '-p', String(pid)])).stdout;
  } catch {
    return ''; // ps fails when there is no such process
  }
}

/** The process id that a file holds, if it holds one. */
function readPid(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8'));
  return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
}
