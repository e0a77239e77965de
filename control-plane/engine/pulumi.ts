import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EngineEvent as PulumiEvent,
  LocalWorkspace,
  type PulumiCommand,
  type Stack,
} from '@pulumi/pulumi/automation/index.js';
import { PROJECT_NAME } from '../../stacks/program.ts';
import { type RunResult, runGuarded } from './guard.ts';
import type { PluginReport, Plugins } from './plugins.ts';

/** The engine ended with a failure; `stdout` and `stderr` are what it said. */
export class EngineExit extends Error {
  readonly result: RunResult;
  constructor(args: readonly string[], result: RunResult) {
    super(`pulumi ${args.slice(0, 2).join(' ')} ended with ${result.code}`);
    this.name = 'EngineExit';
    this.result = result;
  }
}

export type Program = () => Promise<Record<string, unknown>>;

export interface PulumiOptions {
  /** The whole environment of the engine. */
  env: Record<string, string>;
  /** The command line that is installed, its version checked: asked for once. */
  command: () => Promise<PulumiCommand>;
  plugins: Plugins;
}

/** The engine's command line in a folder of its own, which is gone afterwards: workers keep nothing on disk. */
export interface Pulumi {
  /** Runs one command that needs no plugins; answers its stdout. Throws EngineExit unless it ends with 0. */
  run(args: readonly string[], signal?: AbortSignal): Promise<string>;
  /** The Automation API's stack of that name with its program. Starts no process. */
  selectStack(name: string, program: Program, listener: EngineListener): Promise<SelectedStack>;
}

export interface EngineListener {
  /** What plugins report. */
  onReport(report: PluginReport): void;
  /** Every event of every run, in order. */
  onEvent(event: PulumiEvent): void;
}

export interface SelectedStack {
  stack: Stack;
  /** To be given to the Automation API as `onEvent`, always: a run is over when its last event has come. */
  hear(event: PulumiEvent): void;
}

/** What the Automation API asks the command line for that is known already. Each question would cost a start of the engine. */
const ANSWERED: { args: string; answer: string; because: string }[] = [
  { args: 'stack select', answer: '', because: 'every command names its stack, and a selection would be kept on disk' },
  { args: 'stack output', answer: '{}', because: "outputs arrive with the engine's events" },
  { args: 'stack history', answer: '[]', because: 'nobody reads the summary' },
];

/** Commands that only look at the state take a second; one that waits longer waits for a database that is gone. */
const SHORT_COMMAND_MS = 60_000;
/** An engine that has ended has sent everything; so long it may take to be read. */
const LAST_EVENT_MS = 10_000;

interface RunOptions {
  env?: Record<string, string>;
  signal?: AbortSignal;
}

/** Opens a folder for one operation, does it, and removes the folder. */
export async function withPulumi<T>(options: PulumiOptions, action: (pulumi: Pulumi) => Promise<T>): Promise<T> {
  const cwd = await mkdtemp(join(tmpdir(), 'spoq-engine-'));

  const run = async (args: readonly string[], { env, signal }: RunOptions): Promise<RunResult> => {
    const result = await runGuarded({ command: 'pulumi', args, cwd, env: { ...options.env, ...env }, signal });
    if (result.code !== 0) throw new EngineExit(args, result);
    return result;
  };

  const runWithPlugins = async (
    args: readonly string[],
    { env, signal }: RunOptions,
    onReport: (report: PluginReport) => void,
  ): Promise<RunResult> => {
    const lease = await options.plugins.lease(onReport);
    let healthy = false;
    try {
      const result = await run(args, { env: { ...env, ...lease.env }, signal });
      healthy = true;
      return result;
    } catch (error) {
      // An engine that said itself that it failed has waited for its plugins; a killed one has not.
      healthy = !signal?.aborted && error instanceof EngineExit && error.result.code > 0;
      throw error;
    } finally {
      lease.release(healthy);
    }
  };

  try {
    await writeFile(join(cwd, 'Pulumi.yaml'), `name: ${PROJECT_NAME}\nruntime: nodejs\n`);
    return await action({
      run: async (args, signal) => {
        const timeout = AbortSignal.timeout(SHORT_COMMAND_MS);
        return (await run(args, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) }))
          .stdout;
      },
      selectStack: async (stackName, program, { onReport, onEvent }) => {
        let over = Promise.withResolvers<void>();
        const hear = (event: PulumiEvent): void => {
          onEvent(event);
          if (event.cancelEvent !== undefined) over.resolve();
        };
        const answer: AutomationRun = async (args, _cwd, env, _onOutput, _onError, signal) => {
          const known = ANSWERED.find((question) => args.slice(0, 2).join(' ') === question.args);
          if (known !== undefined) return { code: 0, stdout: known.answer, stderr: '' };
          over = Promise.withResolvers();
          const result = await runWithPlugins(args, { env, signal }, onReport);
          // The Automation API hangs up as soon as the engine has ended; on a busy machine what it said last is still on its way.
          if (args.includes('--event-log')) await endWithin(over.promise, LAST_EVENT_MS);
          return result;
        };
        const pulumiCommand = Object.assign(Object.create(await options.command()) as PulumiCommand, { run: answer });
        const stack = await LocalWorkspace.selectStack(
          { stackName, projectName: PROJECT_NAME, program },
          { workDir: cwd, pulumiCommand },
        );
        return { stack, hear };
      },
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** Rejects when the engine's last event does not come: then what is known of its run is not all. */
async function endWithin(over: Promise<void>, ms: number): Promise<void> {
  const late = new AbortController();
  const timeout = sleep(ms, undefined, { signal: late.signal }).then(() => {
    throw new Error('The engine has ended and did not tell how');
  });
  try {
    await Promise.race([over, timeout]);
  } finally {
    timeout.catch(() => {}); // it is not waited for any more
    late.abort();
  }
}

/** PulumiCommand's way of running a command, which is not in its types. */
type AutomationRun = (
  args: string[],
  cwd: string,
  env: Record<string, string>,
  onOutput?: (text: string) => void,
  onError?: (text: string) => void,
  signal?: AbortSignal,
) => Promise<RunResult>;
