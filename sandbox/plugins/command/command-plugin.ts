import type { Provider } from '@pulumi/pulumi/provider/index.js';
import type { Say } from '../serve-plugin.ts';
import { typeOf } from '../values.ts';
import { createLocalCommandPlugin, LOCAL_COMMAND } from './local-command.ts';
import { createRemoteCommandPlugin, REMOTE_COMMAND } from './remote-command.ts';

/** Both kinds of command in one plugin, as the official one has them. `endAll` ends whatever runs. */
export function createCommandPlugin(env: NodeJS.ProcessEnv, say: Say): { plugin: Provider; endAll(): void } {
  const local = createLocalCommandPlugin(env, say);
  const remote = createRemoteCommandPlugin(say, parseAddress(env['SPOQ_SANDBOX_SSH']));
  const plugins: Record<string, Provider> = { [LOCAL_COMMAND]: local.plugin, [REMOTE_COMMAND]: remote.plugin };
  const of = (urn: string): Provider => plugins[typeOf(urn)] ?? UNKNOWN;
  const endAll = (): void => {
    local.killAll();
    remote.cutAll();
  };
  return {
    plugin: {
      version: '1.2.1',
      check: (urn, ...rest) => need(of(urn).check)(urn, ...rest),
      diff: (id, urn, ...rest) => need(of(urn).diff)(id, urn, ...rest),
      create: (urn, ...rest) => need(of(urn).create)(urn, ...rest),
      update: (id, urn, ...rest) => need(of(urn).update)(id, urn, ...rest),
      delete: (id, urn, ...rest) => need(of(urn).delete)(id, urn, ...rest),
      cancel: async () => endAll(),
    },
    endAll,
  };
}

/** `host:port` */
function parseAddress(text: string | undefined): { host: string; port: number } | undefined {
  const [, host = '', port] = /^(.+):(\d+)$/.exec(text ?? '') ?? [];
  return port === undefined ? undefined : { host, port: Number(port) };
}

const UNKNOWN: Provider = {
  version: '1.2.1',
  check: async (_urn, _olds, news) => {
    const reason = `the stand-in knows only ${LOCAL_COMMAND} and ${REMOTE_COMMAND}`;
    return { inputs: news, failures: [{ property: '', reason }] };
  },
};

function need<T>(method: T | undefined): T {
  if (method === undefined) throw new Error('the stand-in does not know this resource');
  return method;
}
