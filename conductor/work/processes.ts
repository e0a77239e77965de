import { readdir, readFile, writeFile } from 'node:fs/promises';
import { WorkError } from '../workplace/workplace.ts';

/** Set in the environment of everything that a command starts, so that what has left its group is found too. */
export const MARK = 'SPOQ_COMMAND';

/** Sends a signal to a whole group. It may be gone. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/** Kills whatever a command has started, in whichever group it is now. (Where there is no /proc, only its own group.) */
export async function killMarked(mark: string): Promise<void> {
  const needle = `${MARK}=${mark}\0`;
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    // Others' can't be read.
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '');
    if (environment.includes(needle)) signalOne(Number(name));
  }
}

function signalOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** The processes that a process has started itself. */
export async function listChildren(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

/** When memory is used up, what a command has started goes first, and `conductor work` stays to tell. */
export async function offerToKernel(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/oom_score_adj`, '900').catch(() => undefined); // it has ended, or this is not Linux
}

/** How many processes of this control group the kernel has killed for want of memory. 0 where that can't be known. */
export async function countOutOfMemory(): Promise<number> {
  const groups = await readFile('/proc/self/cgroup', 'latin1').catch(() => '');
  const unified = /^0::(\/.*)$/m.exec(groups)?.[1];
  const older = /^\d+:memory:(\/.*)$/m.exec(groups)?.[1];
  const files = [
    unified && `/sys/fs/cgroup${unified}/memory.events`,
    older && `/sys/fs/cgroup/memory${older}/memory.oom_control`,
  ];
  for (const file of files) {
    const text = file === undefined ? '' : await readFile(file, 'latin1').catch(() => '');
    const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (count !== undefined) return Number(count);
  }
  return 0;
}

/** What the system says, in words that a model and a person understand. */
export function explain(error: unknown, what: string): WorkError {
  if (error instanceof WorkError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT')
    return new WorkError('not_found', `${what}: there is no such file or folder.`, { cause: error });
  if (code === 'EISDIR') return new WorkError('is_folder', `${what} is a folder.`, { cause: error });
  if (code === 'ENOTDIR')
    return new WorkError('not_found', `${what}: what should be a folder on the way is none.`, { cause: error });
  if (code === 'ENAMETOOLONG') return new WorkError('not_found', `${what}: the name is too long.`, { cause: error });
  if (code === 'ELOOP') return new WorkError('outside', `${what}: the links lead in a circle.`, { cause: error });
  if (['EACCES', 'EPERM', 'EROFS'].includes(code))
    return new WorkError('denied', `${what}: this is not allowed here (${code}).`, { cause: error });
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code))
    return new WorkError('no_space', `${what}: there is no space for it (${code}).`, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new WorkError('failed', `${what}: ${message}`, { cause: error });
}
