import path from 'node:path';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { commonEnvironment, sandboxEnvironment } from './environment.ts';
import { openProcessRecord } from './leftovers.ts';
import { machineArguments } from './machines.ts';
import type { MachineChoice } from './machines.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import type { Secrets, StateFolder } from './state-folder.ts';
import { untilAborted } from './run-tool.ts';
import { ToolError } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import type { VendorName } from './vendors.ts';

/** What the sandbox says when everything listens. */
export interface SandboxUrls {
  page: string;
  edge: string;
  [vendor: string]: string;
}

export interface PartsOptions {
  root: string;
  folder: StateFolder;
  secrets: Secrets;
  /** The person's variables. */
  env: NodeJS.ProcessEnv;
  /** Folders for PATH: engine, providers, Node. */
  pathDirs: string[];
  pulumiHome: string;
  ports: { control_plane: number; postgres: number; worker: number; /** 0: free ones. */ sandbox: number };
  sandboxed: readonly VendorName[];
  /** argv of the conductor executable. */
  conductor: string[];
  machines: MachineChoice;
  releasesDir: string;
  terminal: Terminal;
  /** Gives up starting. */
  signal?: AbortSignal;
  /** Give up the databases' durability: for runs that forget everything at their end. */
  fast?: boolean;
}

/** Everything that runs; `stop` ends it in the right order. */
export interface Parts {
  baseUrl: string;
  urls: SandboxUrls;
  /** The control plane's environment, complete. */
  environment: Record<string, string>;
  /** Resolves with a sentence when a part ends by itself. */
  failed: Promise<ToolError>;
  /** The web server. */
  web(): Child;
  /** The worker, and a way to have another after it was killed. */
  worker(): Child;
  restartWorker(): Promise<void>;
  stop(): Promise<void>;
}

const READY_MS = 60_000;
/** The worker finishes or gives back its jobs, the engine writes its state; cf. the engine's own grace of seconds. */
const WORKER_GRACE_MS = 20_000;
const GRACE_MS = 8000;
/** Its machines power off in order, or have the plug pulled after 15 s. */
const SANDBOX_GRACE_MS = 20_000;

/**
 * Starts Postgres, the sandbox, the migrations, the control plane and a worker, each logging to a file of its own. If one cannot
 * be started, those before it are ended and a ToolError says which and why.
 */
export async function startParts(options: PartsOptions): Promise<Parts> {
  const { root, folder, secrets, ports } = options;
  const terminal = interruptible(options.terminal, options.signal);
  const record = openProcessRecord(folder.dir);
  const common = commonEnvironment(options.env, options.pathDirs);
  const node = path.join(root, 'node_modules', '.bin', 'node');
  const started: { child?: Child; stop: () => Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.splice(0).toReversed()) await part.stop();
    record.clear();
  };
  const start = (name: string, argv: string[], env: Record<string, string>, graceMs: number): Child => {
    const logFile = path.join(folder.logs, `${name.replaceAll(' ', '-')}.log`);
    const child = startChild({ name, argv: [node, ...argv], env, cwd: root, logFile });
    record.add(name, child.pid);
    started.push({ child, stop: () => child.stop(graceMs) });
    return child;
  };

  try {
    const database = await options.terminal.step('Postgres', () => openDatabases(options));
    if (database.server !== undefined) {
      record.add('postgres', database.server.pid);
      started.push({ stop: database.server.stop });
    }
    const baseUrl = options.env['BASE_URL'] ?? `http://localhost:${ports.control_plane}`;
    const sandbox = start('sandbox', sandboxArguments(options), common, SANDBOX_GRACE_MS);
    const { urls, credentials } = await terminal.step('Sandbox', () => waitForSandbox(sandbox));
    const environment = {
      ...common,
      PULUMI_HOME: options.pulumiHome,
      ...sandboxEnvironment({
        env: options.env,
        sandboxed: options.sandboxed,
        credentials,
        secrets,
        baseUrl,
        port: ports.control_plane,
        edgeUrl: urls.edge,
        databaseUrl: database.url,
        backendUrl: database.backendUrl,
        releasesDir: options.releasesDir,
      }),
    };
    const main = path.join(root, 'control-plane', 'main.ts');
    await terminal.step('Database schema', async () => {
      const migrate = start('migrate', [main, 'migrate'], environment, GRACE_MS);
      const { code } = await migrate.ended;
      started.pop();
      if (code !== 0) throw describeEnd(migrate, folder);
    });
    const web = await terminal.step('Control plane', async () => {
      const child = start('control plane', [main, 'web'], environment, GRACE_MS);
      await waitUntilReady(child, `http://127.0.0.1:${ports.control_plane}/ready`, folder);
      return child;
    });
    const startWorker = async (): Promise<Child> => {
      const child = start(
        'worker',
        [main, 'worker'],
        { ...environment, METRICS_PORT: String(ports.worker) },
        WORKER_GRACE_MS,
      );
      await waitUntilReady(child, `http://127.0.0.1:${ports.worker}/ready`, folder);
      return child;
    };
    let worker = await terminal.step('Worker', startWorker);
    const children = started.flatMap(({ child }) => (child === undefined || child === worker ? [] : [child]));
    const ends = [...children, worker].map((child) => child.ended.then(() => describeEnd(child, folder)));
    const lost = new ToolError(
      `Postgres has ended by itself. What was stored is kept. See ${path.join(folder.logs, 'postgres.log')}.`,
    );
    if (database.server !== undefined) ends.push(database.server.ended.then(() => lost));
    return {
      baseUrl,
      urls,
      environment,
      failed: Promise.race(ends),
      web: () => web,
      worker: () => worker,
      async restartWorker() {
        started.splice(
          started.findIndex(({ child }) => child === worker),
          1,
        );
        worker = await startWorker();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A terminal whose steps end with the reason as soon as `signal` is aborted. */
function interruptible(terminal: Terminal, signal: AbortSignal | undefined): Terminal {
  if (signal === undefined) return terminal;
  return { ...terminal, step: (title, work) => terminal.step(title, (update) => untilAborted(signal, work(update))) };
}

interface Databases {
  server?: Postgres;
  url: string;
  backendUrl: string;
}

/** Our own Postgres with a database for Spoq and one for the engine's state, or the one that DATABASE_URL names. */
async function openDatabases({ env, folder, ports, secrets, fast }: PartsOptions): Promise<Databases> {
  const given = env['DATABASE_URL'];
  if (given !== undefined && given !== '') return { url: given, backendUrl: env['PULUMI_BACKEND_URL'] ?? given };
  const server = await startPostgres({
    dataDir: folder.postgres,
    port: ports.postgres,
    password: secrets.POSTGRES_PASSWORD,
    logFile: path.join(folder.logs, 'postgres.log'),
    env,
    fast,
  });
  await server.createDatabase('spoq');
  await server.createDatabase('pulumi');
  return { server, url: server.url('spoq'), backendUrl: server.url('pulumi') };
}

/** Where boxes go when a model's vendor is the real one. */
const MODEL_HOSTS: [VendorName, string][] = [
  ['anthropic', 'api.anthropic.com'],
  ['openai', 'api.openai.com'],
];

function sandboxArguments({ root, folder, ports, sandboxed, conductor, machines, env }: PartsOptions): string[] {
  const webhook = `${env['BASE_URL'] ?? `http://127.0.0.1:${ports.control_plane}`}/api/subscription/webhook`;
  const listen = ports.sandbox === 0 ? ['--port', '0'] : ['--ports', String(ports.sandbox)];
  const main = path.join(root, 'sandbox', 'main.ts');
  const vendors = [...sandboxed, 'mail'].join(',');
  const baseUrl = env['BASE_URL'] ?? `http://localhost:${ports.control_plane}`;
  const outside = MODEL_HOSTS.flatMap(([vendor, host]) => (sandboxed.includes(vendor) ? [] : [host]));
  const flags = machineArguments(machines, { conductor, baseUrl, outside });
  return [main, '--state', folder.sandbox, ...listen, '--vendors', vendors, '--webhook-url', webhook, ...flags];
}

async function waitForSandbox(child: Child): Promise<{ urls: SandboxUrls; credentials: Record<string, string> }> {
  try {
    const message = await withDeadline(child.waitForMessage('listening'), 'the sandbox');
    return { urls: message['urls'] as SandboxUrls, credentials: message['credentials'] as Record<string, string> };
  } catch (cause) {
    throw new ToolError(`The sandbox could not be started. It said:\n${lastWords(child)}`, { cause });
  }
}

function withDeadline<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} was not ready within ${READY_MS / 1000} s`)), READY_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Polls `url` until it answers 200. Throws as soon as the child has ended. */
export async function waitUntilReady(child: Child, url: string, folder: StateFolder): Promise<void> {
  const end = child.ended.then(() => 'ended' as const);
  const pause = (): Promise<'waited'> => new Promise((resolve) => setTimeout(() => resolve('waited'), 50));
  for (const deadline = Date.now() + READY_MS; Date.now() < deadline;) {
    const ok = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    if ((await Promise.race([end, pause()])) === 'ended') break;
  }
  throw describeEnd(child, folder);
}

/** One sentence about a part that ended or never became ready, and the last it said. */
export function describeEnd(child: Child, folder: StateFolder): ToolError {
  const log = path.join(folder.logs, `${child.name.replaceAll(' ', '-')}.log`);
  return new ToolError(
    `The ${child.name} has failed. What was stored is kept. The last lines of ${log}:\n${lastWords(child)}`,
  );
}

function lastWords(child: Child): string {
  return child
    .lastLines()
    .slice(-12)
    .map((line) => `  ${line}`)
    .join('\n');
}
