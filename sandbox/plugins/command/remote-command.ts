import type { Provider } from '@pulumi/pulumi/provider/index.js';
import { z } from 'zod';
import type { Say } from '../serve-plugin.ts';
import { listChanges, unwrapBag } from '../values.ts';
import { makeId } from './make-id.ts';
import { dialRemote, RemoteConnection } from './remote-dial.ts';
import { runRemote } from './remote-session.ts';

export const REMOTE_COMMAND = 'command:remote:Command';
const UPDATED = [
  'connection',
  'create',
  'update',
  'delete',
  'environment',
  'stdin',
  'logging',
  'addPreviousOutputInEnv',
] as const;

const Inputs = z.looseObject({
  connection: RemoteConnection,
  create: z.string().optional(),
  update: z.string().optional(),
  delete: z.string().optional(),
  environment: z.record(z.string(), z.coerce.string()).default({}),
  stdin: z.string().default(''),
  logging: z.enum(['stdout', 'stderr', 'stdoutAndStderr', 'none']).default('stdoutAndStderr'),
  addPreviousOutputInEnv: z.boolean().default(true),
});
type Inputs = z.output<typeof Inputs>;

interface Output {
  stdout: string;
  stderr: string;
}

export interface RemoteCommandPlugin {
  plugin: Provider;
  /** Cuts every connection. */
  cutAll(): void;
}

/**
 * `command.remote.Command` of the official plugin 1.2.1: a command over SSH when a resource is made, changed or removed. No bastions.
 * @param dialAt dialled whatever the connection says: for machines whose address is only a name
 */
export function createRemoteCommandPlugin(say: Say, dialAt?: { host: string; port: number }): RemoteCommandPlugin {
  const running = new Set<AbortController>();

  async function run(urn: string, line: string, inputs: Inputs, before: Partial<Output>): Promise<Output> {
    const cut = new AbortController();
    running.add(cut);
    const tell = (text: string): void => say(urn, text);
    try {
      const client = await dialRemote({ ...inputs.connection, ...dialAt }, tell, cut.signal);
      try {
        const former = {
          ...(before.stdout ? { PULUMI_COMMAND_STDOUT: before.stdout } : {}),
          ...(before.stderr ? { PULUMI_COMMAND_STDERR: before.stderr } : {}),
        };
        return await runRemote(client, {
          line,
          stdin: inputs.stdin,
          environment: { ...(inputs.addPreviousOutputInEnv ? former : {}), ...inputs.environment },
          log: (stream, text) => {
            if (inputs.logging === stream || inputs.logging === 'stdoutAndStderr') tell(text);
          },
          signal: cut.signal,
        });
      } finally {
        client.destroy();
      }
    } finally {
      running.delete(cut);
    }
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
      const output =
        inputs.create === undefined ? { stdout: '', stderr: '' } : await run(urn, inputs.create, inputs, {});
      return { id: makeId(urn), outs: { ...unwrapBag(news), ...output } };
    },
    update: async (_id, urn, olds, news) => {
      const inputs = Inputs.parse(unwrapBag(news));
      const { stdout = '', stderr = '' } = unwrapBag(olds) as Partial<Output>;
      const line = inputs.update ?? inputs.create;
      const output = line === undefined ? { stdout, stderr } : await run(urn, line, inputs, { stdout, stderr });
      return { outs: { ...unwrapBag(news), ...output } };
    },
    delete: async (_id, urn, props) => {
      const before = unwrapBag(props);
      const inputs = Inputs.parse(before);
      if (inputs.delete !== undefined) await run(urn, inputs.delete, inputs, before as Partial<Output>);
    },
  };
  return {
    plugin,
    cutAll() {
      for (const cut of running) cut.abort(new Error('the connection was cut: the engine was told to stop'));
    },
  };
}
