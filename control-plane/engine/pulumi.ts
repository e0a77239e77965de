import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalWorkspace, type PulumiCommand, type Stack } from '@pulumi/pulumi/automation/index.js';
import { PROJECT_NAME } from '../../stacks/program.ts';
import { type RunResult, runGuarded } from './guard.ts';

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
}

/** The engine's command line in a folder of its own, which is gone afterwards: workers keep nothing on disk. */
export interface Pulumi {
  /** Runs one command; throws EngineExit unless it ends with 0. */
  run(args: readonly string[], signal?: AbortSignal): Promise<string>;
  /** The Automation API's stack of that name with its program. Starts no process. */
  selectStack(name: string, program: Program): Promise<Stack>;
}

/** What the Automation API asks the command line for that is known already. Each question would cost a start of the engine. */
const ANSWERED: { args: string; answer: string; because: string }[] = [
  { args: 'stack select', answer: '', because: 'every command names its stack, and a selection would be kept on disk' },
  { args: 'stack output', answer: '{}', because: "outputs arrive with the engine's events" },
  { args: 'stack history', answer: '[]', because: 'nobody reads the summary' },
];

/** Opens a folder for one operation, does it, and removes the folder. */
export async function withPulumi<T>(
  { env, command }: PulumiOptions,
  action: (pulumi: Pulumi) => Promise<T>,
): Promise<T> {
  const cwd = await mkdtemp(join(tmpdir(), 'spoq-engine-'));
  const run = async (
    args: readonly string[],
    options: { env?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<RunResult> => {
    const result = await runGuarded({
      command: 'pulumi',
      args,
      cwd,
      env: { ...env, ...options.env },
      signal: options.signal,
    });
    if (result.code !== 0) throw new EngineExit(args, result);
    return result;
  };
  try {
    await writeFile(join(cwd, 'Pulumi.yaml'), `name: ${PROJECT_NAME}\nruntime: nodejs\n`);
    return await action({
      run: async (args, signal) => (await run(args, { signal })).stdout,
      selectStack: async (stackName, program) => {
        const pulumiCommand = Object.assign(Object.create(await command()) as PulumiCommand, {
          run: async (
            args: string[],
            _cwd: string,
            extra: Record<string, string>,
            _out?: unknown,
            _error?: unknown,
            signal?: AbortSignal,
          ) => {
            const known = ANSWERED.find((question) => args.slice(0, 2).join(' ') === question.args);
            return known === undefined
              ? run(args, { env: extra, signal })
              : { code: 0, stdout: known.answer, stderr: '' };
          },
        });
        return LocalWorkspace.selectStack(
          { stackName, projectName: PROJECT_NAME, program },
          { workDir: cwd, pulumiCommand },
        );
      },
    });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}
