import { spawn } from 'node:child_process';
import type { Provider } from '@pulumi/pulumi/provider/index.js';
import { z } from 'zod';
import type { Say } from '../serve-plugin.ts';
import { listChanges, unwrapBag } from '../values.ts';
import { makeId } from './make-id.ts';

export const LOCAL_COMMAND = 'command:local:Command';
const UPDATED = ['create', 'update', 'delete', 'dir', 'environment', 'interpreter', 'stdin', 'logging'] as const;

const Inputs = z.looseObject({
  create: z.string().optional(),
  update: z.string().optional(),
  delete: z.string().optional(),
  dir: z.string().optional(),
  stdin: z.string().optional(),
  interpreter: z.array(z.string()).min(1).default(['/bin/sh', '-c']),
  environment: z.record(z.string(), z.coerce.string()).default({}),
  logging: z.string().default('stdoutAndStderr'),
});

export interface LocalCommandPlugin {
  plugin: Provider;
  /** Ends every command that runs, with what it started. */
  killAll(): void;
}

/** `command.local.Command`: a line of shell when a resource is made, changed or removed. */
export function createLocalCommandPlugin(env: NodeJS.ProcessEnv, say: Say): LocalCommandPlugin {
  const running = new Set<number>();
  const killAll = (): void => {
    for (const pid of running) {
      try {
        process.kill(-pid, 'SIGTERM');
      } catch {
        // It has ended by itself.
      }
    }
  };

  async function run(
    urn: string,
    line: string,
    inputs: z.output<typeof Inputs>,
    olds: Record<string, unknown> = {},
  ): Promise<{ stdout: string; stderr: string }> {
    const [command = '/bin/sh', ...args] = [...inputs.interpreter, line];
    const previous = {
      PULUMI_COMMAND_STDOUT: String(olds['stdout'] ?? ''),
      PULUMI_COMMAND_STDERR: String(olds['stderr'] ?? ''),
    };
    const child = spawn(command, args, {
      cwd: inputs.dir,
      env: { ...env, ...previous, ...inputs.environment },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    if (child.pid !== undefined) running.add(child.pid);
    child.stdin.on('error', () => {});
    child.stdin.end(inputs.stdin ?? '');
    const collect = (stream: NodeJS.ReadableStream): (() => string) => {
      let text = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        text += chunk;
        if (inputs.logging !== 'none') for (const part of chunk.trimEnd().split('\n')) say(urn, part);
      });
      return () => text.trimEnd();
    };
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `exit status ${code}`));
    const ended = await promise.finally(() => running.delete(child.pid ?? 0));
    if (ended !== 'exit status 0')
      throw new Error(`${ended}: running ${JSON.stringify(line)}:\n${stderr() || stdout()}`);
    return { stdout: stdout(), stderr: stderr() };
  }

  const plugin: Provider = {
    version: '1.2.1',
    check: async (_urn, _olds, news) => ({ inputs: news, failures: [] }),
    diff: async (_id, _urn, olds, news) => {
      const replaces = listChanges(olds, news, ['triggers']);
      return { changes: replaces.length > 0 || listChanges(olds, news, UPDATED).length > 0, replaces };
    },
    create: async (urn, news) => {
      const inputs = Inputs.parse(unwrapBag(news));
      const output = inputs.create === undefined ? { stdout: '', stderr: '' } : await run(urn, inputs.create, inputs);
      return { id: makeId(urn), outs: { ...unwrapBag(news), ...output } };
    },
    update: async (_id, urn, olds, news) => {
      const inputs = Inputs.parse(unwrapBag(news));
      const before = unwrapBag(olds);
      const line = inputs.update ?? inputs.create;
      const kept = { stdout: before['stdout'] ?? '', stderr: before['stderr'] ?? '' };
      return { outs: { ...unwrapBag(news), ...(line === undefined ? kept : await run(urn, line, inputs, before)) } };
    },
    delete: async (_id, urn, props) => {
      const before = unwrapBag(props);
      const inputs = Inputs.parse(before);
      if (inputs.delete !== undefined) await run(urn, inputs.delete, inputs, before);
    },
    cancel: async () => killAll(),
  };
  return { plugin, killAll };
}
