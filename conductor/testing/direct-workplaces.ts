import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCompiledConductor } from '../../test/harness/compiled-conductor.ts';
import { createDial, resolveName } from '../workplace/egress.ts';
import type { Dial } from '../workplace/egress.ts';
import { createRemoteWorkplace } from '../workplace/remote-workplace.ts';
import type { Workplace, Workplaces } from '../workplace/workplace.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface DirectOptions {
  /** Each run gets a home below. */
  folder: string;
  /** The bare repository of a workspace. */
  repository(workspace: string): string;
  /** How to start the conductor, without arguments. The one that `npm test` has compiled, or these sources, when left out. */
  command?: string[];
  /** Dials for real, and refuses everything that isn't of the internet, when left out. */
  dial?: Dial;
}

/**
 * Places of work without any confinement, for tests: `conductor work` as a child process, with the rights of this process. What runs in
 * there can do whatever this process can.
 */
export function createDirectWorkplaces(options: DirectOptions): Workplaces & { closeAll(): Promise<void> } {
  const { folder, repository, dial = createDial(resolveName) } = options;
  const command = options.command ?? findCompiledConductor() ?? [process.execPath, MAIN];
  const open = new Map<string, Workplace>();
  const homeOf = (id: string): string => path.join(folder, id);
  return {
    async open(run, progress, signal) {
      signal.throwIfAborted();
      const home = homeOf(run.id);
      await mkdir(home, { recursive: true });
      const [file = '', ...first] = command;
      const args = ['work', '--home', home, '--workspace', run.workspace, '--repository', repository(run.workspace)];
      const child = spawn(file, [...first, ...args, '--proxy-port', '0'], {
        env: { PATH: process.env['PATH'] },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      const place = createRemoteWorkplace({
        input: child.stdout,
        output: child.stdin,
        dial,
        async end() {
          open.delete(run.id);
          const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
          await ended;
          clearTimeout(timer);
          return undefined;
        },
      });
      open.set(run.id, place);
      try {
        await place.prepare(run.snapshot, progress, signal);
        return place;
      } catch (error) {
        await place.close();
        throw error;
      }
    },
    async remove(id) {
      await open.get(id)?.close();
      await rm(homeOf(id), { recursive: true, force: true });
    },
    async closeAll() {
      await Promise.all([...open.values()].map((place) => place.close()));
    },
  };
}
