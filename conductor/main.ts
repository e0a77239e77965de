import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { SpoqError } from '../contract/errors.ts';
import { createConductor } from './app.ts';
import { HELP, parseArguments } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { createBudget, keepUnsettled } from './budget/create-budget.ts';
import { createFindCertificate } from './certificate.ts';
import { createFindVersions } from './system.ts';
import { checkConductor } from './check.ts';
import { loadConfig } from './config.ts';
import type { Config } from './config.ts';
import { createConversations, endInterrupted } from './conversations/create-conversations.ts';
import { createKeyCache } from './key-cache.ts';
import { createKeyStore } from './key-file.ts';
import { createKeyCheck } from './keys/check-key.ts';
import { createCredentialKeeper } from './keys/credential-keeper.ts';
import { createFileKeeper } from './keys/file-keeper.ts';
import { createKeyRing } from './keys/key-ring.ts';
import type { KeyRing } from './keys/key-ring.ts';
import { startFiles } from './files/child.ts';
import { createFiles } from './files/client.ts';
import { serveFiles } from './files/server.ts';
import { openListeners } from './listeners.ts';
import { createModels } from './model/models.ts';
import { awaitName, findAddresses, listAddresses } from './name.ts';
import { describeBug } from './problems.ts';
import { fetchDirect } from './reach.ts';
import { createReachability } from './reachability.ts';
import type { Reachability } from './reachability.ts';
import { createRevocations } from './revocations.ts';
import { createRunParts } from './run/create-run-parts.ts';
import { takeSnapshot } from './run/take-snapshot.ts';
import type { Runs } from './run/runs.ts';
import { createStore } from './store/store.ts';
import type { Store } from './store/store.ts';
import { claimSocketPath } from './socket-file.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { VerifierKeys } from './token-verifier.ts';
import { VERSION } from './version.ts';
import { choosePlace } from './work/place.ts';
import { serveWork } from './work/serve-work.ts';
import { createDial } from './workplace/egress.ts';
import { LAUNCHER_SOCKET } from './workplace/launcher.ts';
import { createWorkplaces } from './workplace/systemd-workplaces.ts';

/** What an answer needs to say that it was cut, and a connection to end; then it ends whatever still hangs. */
const LAST_WORDS_MS = 4_000;
const LAST_CONNECTIONS_MS = 500;
/** Of conductor-keys.socket. */
const KEYS_SOCKET = '/run/conductor-keys.sock';

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) return void process.stdout.write(HELP);
  if (args.version) return void process.stdout.write(`conductor ${VERSION}\n`);
  if (args.command === 'work') return work(args);
  if (args.command === 'files') return files(args);
  const config = await readConfig(args);
  if (args.command === 'check') return check(config, args.waitMs);
  if (args.command === 'name') return name(config, args.waitMs);
  // Synchronous and without a worker thread: nothing is lost at exit, and the compiled executable has no worker file.
  const log = openLog(config.logLevel, 'conductor');
  // The AI SDK would print warnings as plain text between the log lines.
  Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
  await run(config, args, log);
}

/** It ends with its line. Nothing of the environment but PATH comes to the programs that it runs. */
async function work({ work: options }: Arguments): Promise<void> {
  const place = choosePlace(options, process.env['PATH'] ?? '/usr/bin:/bin');
  await serveWork({ input: process.stdin, output: process.stdout, place, proxyPort: options.proxyPort });
  process.exit(0);
}

function openLog(level: string, name: string): Logger {
  return pino({ level, base: { name } }, pino.destination({ fd: 2, sync: true }));
}

/** systemd gives MAINPID to the check that it runs after a start: there is nothing to wait for once that process has ended. */
async function check(config: Config, waitMs: number): Promise<void> {
  const pid = Number(process.env['MAINPID']);
  const isAlive = (): boolean => !(pid > 0) || isRunning(pid);
  const version = await checkConductor({ port: config.port, socket: config.socket, waitMs, isAlive });
  process.stdout.write(`conductor ${version} answers on 127.0.0.1:${config.port} and ${config.socket}\n`);
}

/** Runs as the box's owner. With socket activation systemd hands over the listening socket as descriptor 3. */
async function files({ home, socket, idleMs, attached }: Arguments): Promise<void> {
  if (home === undefined)
    throw new SpoqError('invalid_request', { detail: 'conductor files needs --home.', next: 'See conductor --help.' });
  const handed = process.env['LISTEN_FDS'] === '1' && process.env['LISTEN_PID'] === String(process.pid);
  if (!handed && socket === undefined)
    throw new SpoqError('invalid_request', {
      detail: 'conductor files needs --socket, or a socket from systemd.',
      next: 'See conductor --help.',
    });
  const log = openLog(process.env['LOG_LEVEL'] || 'info', 'conductor-files');
  if (!handed) await claimSocketPath(socket ?? '');
  process.umask(0o022);
  const listen = handed ? { fd: 3 } : { path: socket ?? '' };
  const server = await serveFiles({ home: resolve(home), listen, log, ...(idleMs === undefined ? {} : { idleMs }) });
  closeWithGrace({ delay: LAST_WORDS_MS, logger: false }, () => server.close());
  if (attached) process.stdin.resume().once('end', () => void server.close());
  process.stdout.write(`${JSON.stringify({ msg: 'listening', socket: handed ? null : socket })}\n`);
  await server.ended;
  process.exit(0);
}

async function name({ hostname }: Config, waitMs: number): Promise<void> {
  const say = (sentence: string): void => void process.stdout.write(`${sentence}\n`);
  say(await awaitName({ hostname, addresses: listAddresses(), waitMs, find: findAddresses, say }));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function readConfig(args: Arguments): Promise<Config> {
  const toml = await readFile(args.configPath, 'utf8').catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw new SpoqError('invalid_request', {
      detail: 'The configuration cannot be read.',
      faults: [{ field: '--config', message }],
      cause: error,
    });
  });
  return loadConfig({ toml, path: args.configPath, port: args.port, socket: args.socket, env: process.env });
}

async function run(config: Config, { stateDir, graceMs, files: filesHome }: Arguments, log: Logger): Promise<void> {
  // First of all: it gets ready while we do.
  const filesChild = filesHome === undefined ? undefined : startFiles(findCommand(), filesHome, resolve(stateDir));
  const reachability = createReachability(Date.now);
  const keys = await openKeys(config, resolve(stateDir), log, reachability);
  const modelKeys = await openModelKeys(config, resolve(stateDir), log);
  const models = createModels({ config: config.ai, findKey: modelKeys.find, fetch: fetchDirect });
  const revocations = createRevocations({
    ...config,
    url: config.revocationsUrl,
    keys,
    fetch: fetchDirect,
    log,
    reachability,
    now: Date.now,
  });
  revocations.start();
  const workplaces = createWorkplaces({ dial: createDial() });
  const verifyToken = createTokenVerifier({ ...config, keys, revocations });
  const store = createStore(resolve(stateDir), (keptAs) =>
    log.error({ kept_as: keptAs }, 'the database was damaged: it was put aside, and a new one was begun'),
  );
  await recover(store, log);
  const conversations = createConversations({ store, now: Date.now });
  const budget = createBudget({ store, now: Date.now, defaults: config.budget });
  const files = createFiles(filesChild?.socket ?? config.filesSocket);
  const parts = createRunParts({
    store,
    conversations,
    models,
    calls: { budget, keys: modelKeys, reachability },
    rules: config.rules,
    servers: config.servers,
    // Where the launcher's socket isn't, nothing confines a run: then there is none.
    workplaces: existsSync(LAUNCHER_SOCKET) ? workplaces : undefined,
    takeSnapshot: (workspace) => takeSnapshot(files, workspace),
    now: Date.now,
    reportBug: (error) => log.error(describeBug(error), 'bug'),
  });
  const conductor = createConductor({
    hostname: config.hostname,
    version: VERSION,
    verifyToken,
    models,
    keys: modelKeys,
    findCertificate: createFindCertificate(config.hostname, Date.now),
    findVersions: createFindVersions(),
    budget,
    files,
    log,
    reachability,
    hasRuns: () => workplaces.openCount > 0,
    conversations,
    ...parts,
  });
  goOn(parts.runs, log);
  // Who is told that we listen finds the files, too.
  await filesChild?.listening;
  const listeners = await openListeners(conductor, config);
  log.info({ version: VERSION, port: listeners.port, socket: listeners.socket, model: models.standard }, 'listening');
  closeWithGrace({ delay: graceMs + LAST_WORDS_MS, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal(describeBug(err), 'stopping after a bug');
    else log.info({ signal }, 'stopping');
    await revocations.stop();
    if (keys.algorithm === 'RS256') await keys.cache.stop();
    // It listens to the end of the last answer: who comes meanwhile hears that it restarts, instead of nothing.
    await conductor.stop(err === undefined ? graceMs : 0);
    await listeners.close(LAST_CONNECTIONS_MS);
    await filesChild?.close();
    store.close();
    log.info('stopped');
  });
  process.stdout.write(`${JSON.stringify({ msg: 'listening', port: listeners.port, socket: listeners.socket })}\n`);
}

/** A systemd that hands them over, where there is one; a file of this account where there isn't. */
function openModelKeys({ ai }: Config, stateDir: string, log: Logger): Promise<KeyRing> {
  const otherwise = createFileKeeper(stateDir);
  const folder = process.env['CREDENTIALS_DIRECTORY'];
  return createKeyRing({
    providers: ai.providers,
    keeper: createCredentialKeeper({ folder, socket: KEYS_SOCKET, otherwise }),
    checkKey: createKeyCheck(fetchDirect),
    now: Date.now,
    onFailure: (error) => log.error(describeBug(error), 'the keys of the models'),
  });
}

/** What a crash has left at work gets its end. With a full disk that waits for the next start: the box serves all the same. */
async function recover(store: Store, log: Logger): Promise<void> {
  try {
    const calls = keepUnsettled(store);
    if (calls > 0)
      log.warn(
        { calls },
        'calls of the model were cut off when the conductor ended: they are charged as they were reserved',
      );
    const turns = await endInterrupted(store, Date.now);
    if (turns.length > 0) log.warn({ turns: turns.length }, 'work was cut off when the conductor ended');
  } catch (error) {
    if (!(error instanceof SpoqError)) throw error;
    log.error({ reason: error.detail }, 'conversations cannot be kept');
  }
}

/** What runs this program: compiled it has its entry inside; of sources it is the first argument. */
function findCommand(): string[] {
  const [, script = ''] = process.argv;
  return script.endsWith('/main.ts') && existsSync(script) ? [process.execPath, script] : [process.execPath];
}

/** What was parked, or waits for an answer, goes on before anybody is answered: who attaches finds it at work. */
function goOn(runs: Runs, log: Logger): void {
  try {
    const count = runs.reviveAll();
    if (count > 0) log.info({ runs: count }, 'runs go on');
  } catch (error) {
    if (!(error instanceof SpoqError)) throw error;
    log.error({ reason: error.detail }, 'runs cannot go on');
  }
}

async function openKeys(
  config: Config,
  stateDir: string,
  log: Logger,
  reachability: Reachability,
): Promise<VerifierKeys> {
  if (config.keys.algorithm === 'HS256') return config.keys;
  const store = createKeyStore(stateDir);
  const cache = createKeyCache({
    jwksUrl: config.keys.jwksUrl,
    store,
    fetch: fetchDirect,
    log,
    reachability,
    now: Date.now,
  });
  await cache.start();
  return { algorithm: 'RS256', cache };
}

/** What a person or the journal reads when it doesn't start: one line, with every fault. */
function explain(error: unknown): string {
  if (!(error instanceof SpoqError))
    return `conductor: it could not start: ${error instanceof Error ? error.message : String(error)}\n`;
  const said = (error.detail ?? error.title).replace(/\.$/, '');
  const faults = error.faults.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return `conductor: ${said}${faults === '' ? '' : `: ${faults}`}. ${error.next}\n`;
}

try {
  await main();
} catch (error) {
  process.stderr.write(explain(error));
  process.exit(error instanceof SpoqError ? error.exit : 1);
}
