import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { COMPILE_FLAGS } from '../tools/build-release.ts';
import { runCommand } from '../tools/run-command.ts';

/** What a process takes that has nothing to do. */
export interface Idle {
  rss_mb: number;
  /** Of one processor, in percent. */
  cpu_percent: number;
  /** How often one of its threads was woken, a second. */
  wakes_per_second: number;
}

/** The floor: a server that knows nothing, compiled as the conductor is. */
const FLOOR = `import { createServer } from 'node:http';
createServer((req, res) => res.end()).listen(0, '127.0.0.1', () => console.log('listening'));
`;

/** Kernel ticks of /proc/<pid>/stat: USER_HZ, which is 100 on every Linux that there is. */
const TICKS_PER_SECOND = 100;
/** What a start leaves to be done, collecting garbage above all, is over by then. */
const SETTLE_MS = 5_000;

/** Starts the floor; `stop` ends it. */
export async function startFloor(
  root: string,
  dir: string,
  env: NodeJS.ProcessEnv,
): Promise<{ pid: number; stop: () => void }> {
  mkdirSync(dir, { recursive: true });
  const [source, file] = [path.join(dir, 'server.ts'), path.join(dir, 'server')];
  writeFileSync(source, FLOOR);
  const bun = path.join(root, 'node_modules', '.bin', 'bun');
  const result = await runCommand(bun, [...COMPILE_FLAGS, '--outfile', file, source], { cwd: dir, env });
  if (result.code !== 0) throw new Error(`bun could not compile the floor: ${result.stderr}`);
  const child = spawn(file, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return { pid: child.pid ?? 0, stop: () => void child.kill('SIGKILL') };
}

/** Watches processes, all over the same `seconds`. Linux alone has what is read. */
export async function measureIdle(pids: Record<string, number>, seconds: number): Promise<Record<string, Idle>> {
  await wait(SETTLE_MS);
  const before = Object.entries(pids).map(([name, pid]) => ({ name, pid, ...readProcess(pid) }));
  await wait(seconds * 1000);
  return Object.fromEntries(
    before.map(({ name, pid, ticks, wakes }) => {
      const after = readProcess(pid);
      const idle: Idle = {
        rss_mb: after.rss_mb,
        cpu_percent: ((after.ticks - ticks) / TICKS_PER_SECOND / seconds) * 100,
        wakes_per_second: countWakes(wakes, after.wakes) / seconds,
      };
      return [name, idle];
    }),
  );
}

function readProcess(pid: number): { ticks: number; wakes: Map<string, number>; rss_mb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything: utime and stime are fields 14 and 15 of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (text: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  const wakes = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    wakes.set(task, number(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'), 'voluntary_ctxt_switches'));
  }
  return {
    ticks: Number(fields[11]) + Number(fields[12]),
    wakes,
    rss_mb: number(status, 'VmRSS') / 1024,
  };
}

/** Of the threads that were there all the time; what others did before they ended is not known. */
function countWakes(before: Map<string, number>, after: Map<string, number>): number {
  return [...after].reduce((sum, [task, wakes]) => sum + wakes - (before.get(task) ?? wakes), 0);
}
