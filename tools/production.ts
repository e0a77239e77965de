import path from 'node:path';
import { loadConfig } from '../control-plane/config.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { getEngine } from './engine.ts';
import { describeEnd, waitUntilReady } from './parts.ts';
import { findFreePort } from './ports.ts';
import { untilAborted } from './run-tool.ts';
import type { ToolContext } from './run-tool.ts';
import { lockStateFolder, openStateFolder, stateDir } from './state-folder.ts';

const GRACE_MS = 60_000;

/**
 * Control plane and worker with the configuration of the environment and nothing else: no sandbox, no stand-in, no default that
 * points to this machine. Faults of the configuration are reported all at once before anything starts.
 */
export async function startProduction(context: ToolContext): Promise<void> {
  const { root, env, terminal, signal } = context;
  const config = loadConfig(env);
  const folder = openStateFolder(stateDir(root, env));
  context.onEnd(lockStateFolder(folder));
  const engine = await terminal.step('Pulumi engine', (onProgress) =>
    getEngine({ env, root, signal, onProgress, onNotice: terminal.line }),
  );
  const node = path.join(root, 'node_modules', '.bin', 'node');
  const pathDirs = [...engine.pathDirs, path.join(root, 'stacks', 'bin'), path.dirname(node)];
  const full = { ...env, PATH: [...pathDirs, env['PATH']].join(path.delimiter) };
  const start = (name: string, argv: string[], extra: NodeJS.ProcessEnv = {}): Child => {
    const logFile = path.join(folder.logs, `${name.replaceAll(' ', '-')}.log`);
    const child = startChild({
      name,
      argv: [node, path.join(root, 'control-plane', 'main.ts'), ...argv],
      env: { ...full, ...extra },
      cwd: root,
      logFile,
    });
    context.onEnd(() => child.stop(GRACE_MS));
    return child;
  };
  const host = config.SERVER_HOST === '0.0.0.0' ? '127.0.0.1' : config.SERVER_HOST;
  const metricsPort = config.METRICS_PORT ?? (await findFreePort());
  const web = start('control plane', ['web']);
  await terminal.step('Control plane', () => waitUntilReady(web, `http://${host}:${config.SERVER_PORT}/ready`, folder));
  const worker = start('worker', ['worker'], { METRICS_PORT: String(metricsPort) });
  await terminal.step('Worker', () => waitUntilReady(worker, `http://127.0.0.1:${metricsPort}/ready`, folder));

  context.print(
    `Spoq runs in production mode: ${config.BASE_URL} (listening on ${config.SERVER_HOST}:${config.SERVER_PORT}).`,
  );
  context.print(
    `Logs are in ${folder.logs}. Ctrl-C ends both processes; a job that is running is finished or given back first.`,
  );
  const either = Promise.race([web.ended.then(() => web), worker.ended.then(() => worker)]);
  const ended = await untilAborted(signal, either).catch(() => undefined);
  if (ended !== undefined) throw describeEnd(ended, folder);
}
