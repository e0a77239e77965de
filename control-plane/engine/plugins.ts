import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** The plugins of a box's stack. Only those whose executable is on PATH are kept running; the engine starts the others itself. */
const NAMES = ['spoq', 'cloudflare', 'command'] as const;
/** A set of plugins that nobody used for this long is ended. */
const IDLE_MS = 60_000;
/** A plugin that has not told its port by then is left to the engine, which says what is wrong with it. */
const START_MS = 20_000;

const Report = z.object({ urn: z.string(), message: z.string() });
export type PluginReport = z.infer<typeof Report>;

/** One set of running plugins, lent to one run of the engine at a time. */
export interface PluginLease {
  /** Makes the engine use them. */
  env: Record<string, string>;
  /** Gives them back. `healthy`: the run ended by itself, so nothing is going on in them and nothing has been cancelled. */
  release(healthy: boolean): void;
}

export interface Plugins {
  lease(onReport: (report: PluginReport) => void): Promise<PluginLease>;
  /** Ends the plugins that are not lent. */
  close(): Promise<void>;
}

interface PluginSet {
  children: ChildProcess[];
  addresses: string[];
  onReport: (report: PluginReport) => void;
  idle?: NodeJS.Timeout;
}

/**
 * Keeps plugins running between runs of the engine: in a short operation their starts are half of all the work. A set serves one
 * run at a time, for cancelling a run cancels whatever its plugins do. They end with this process: each reads a pipe from it.
 */
export function createPlugins(env: Record<string, string>): Plugins {
  const idle: PluginSet[] = [];

  const start = async (): Promise<PluginSet> => {
    const set: PluginSet = { children: [], addresses: [], onReport: () => {} };
    const started = NAMES.map(async (name) => {
      const command = await findExecutable(`pulumi-resource-${name}`, env['PATH'] ?? '');
      if (command === undefined) return;
      const port = await startPlugin(command, env, set);
      if (port !== undefined) set.addresses.push(`${name}:${port}`);
    });
    await Promise.all(started);
    return set;
  };

  return {
    lease: async (onReport) => {
      const found = idle.pop();
      clearTimeout(found?.idle);
      const set = found ?? (await start());
      set.onReport = onReport;
      return {
        env: createEnv(set),
        release: (healthy) => {
          set.onReport = () => {};
          if (!healthy || set.children.some(hasEnded)) return void endSet(set, 'SIGKILL');
          idle.push(set);
          set.idle = setTimeout(() => {
            idle.splice(idle.indexOf(set), 1);
            void endSet(set, 'SIGTERM');
          }, IDLE_MS).unref();
        },
      };
    },
    close: async () => {
      await Promise.all(idle.splice(0).map((set) => endSet(set, 'SIGTERM')));
    },
  };
}

async function startPlugin(command: string, env: Record<string, string>, set: PluginSet): Promise<number | undefined> {
  // Reports go to stdout: a plugin that runs already can't know the engine's address.
  const child = spawn(command, [], {
    env: { ...env, SPOQ_PLUGIN_REPORTS: 'stdout' },
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  set.children.push(child);
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const timer = setTimeout(() => resolve(undefined), START_MS);
  child.once('error', () => resolve(undefined));
  child.once('exit', () => resolve(undefined));
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (/^\d+$/.test(line)) resolve(Number(line));
    else if (line.startsWith('{')) {
      const report = Report.safeParse(parseJson(line));
      if (report.success) set.onReport(report.data);
    }
  });
  // An idle plugin keeps nobody alive.
  child.unref();
  for (const stream of [child.stdin, child.stdout]) (stream as unknown as Socket).unref();
  return promise.finally(() => clearTimeout(timer));
}

async function endSet(set: PluginSet, signal: NodeJS.Signals): Promise<void> {
  clearTimeout(set.idle);
  await Promise.all(
    set.children
      .filter((child) => !hasEnded(child))
      .map(async (child) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        child.ref();
        child.once('exit', () => resolve());
        child.kill(signal);
        await promise;
      }),
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function findExecutable(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const file = join(folder, name);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function createEnv({ addresses }: PluginSet): Record<string, string> {
  return addresses.length === 0 ? {} : { PULUMI_DEBUG_PROVIDERS: addresses.toSorted().join(',') };
}
