import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { SpoqError } from '../contract/errors.ts';
import { createConductor } from './app.ts';
import { HELP, parseArguments } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { loadConfig } from './config.ts';
import type { Config } from './config.ts';
import { createKeyCache } from './key-cache.ts';
import { createKeyStore } from './key-file.ts';
import { openListeners } from './listeners.ts';
import { createModel } from './model/create-model.ts';
import { describeBug } from './problems.ts';
import { fetchDirect } from './reach.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { VerifierKeys } from './token-verifier.ts';
import { VERSION } from './version.ts';

/** Answers get this long to end by themselves; systemd, the sandbox and people expect an end within 10 s. */
const GRACE_MS = 8_000;
const LAST_CONNECTIONS_MS = 500;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) return void process.stdout.write(HELP);
  if (args.version) return void process.stdout.write(`conductor ${VERSION}\n`);
  const config = await readConfig(args);
  // Synchronous and without a worker thread: nothing is lost at exit, and the compiled executable has no worker file.
  const log = pino({ level: config.logLevel, base: { name: 'conductor' } }, pino.destination({ fd: 2, sync: true }));
  // The AI SDK would print warnings as plain text between the log lines.
  Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
  await run(config, resolve(args.stateDir), log);
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
  return loadConfig({ toml, port: args.port, socket: args.socket, env: process.env });
}

async function run(config: Config, stateDir: string, log: Logger): Promise<void> {
  const keys = await openKeys(config, stateDir, log);
  const model = createModel(config.model, fetchDirect);
  const verifyToken = createTokenVerifier({ ...config, keys });
  const conductor = createConductor({ hostname: config.hostname, version: VERSION, verifyToken, model, log });
  const listeners = await openListeners(conductor, config);
  log.info({ version: VERSION, port: listeners.port, socket: listeners.socket, model: model?.id ?? null }, 'listening');
  closeWithGrace({ delay: GRACE_MS + 1500, logger: false }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal(describeBug(err), 'stopping after a bug');
    else log.info({ signal }, 'stopping');
    if (keys.algorithm === 'RS256') await keys.cache.stop();
    const closed = listeners.close(GRACE_MS + LAST_CONNECTIONS_MS);
    await conductor.stop(err === undefined ? GRACE_MS : 0);
    await closed;
    log.info('stopped');
  });
  process.stdout.write(`${JSON.stringify({ msg: 'listening', port: listeners.port, socket: listeners.socket })}\n`);
}

async function openKeys(config: Config, stateDir: string, log: Logger): Promise<VerifierKeys> {
  if (config.keys.algorithm === 'HS256') return config.keys;
  const store = createKeyStore(stateDir);
  const cache = createKeyCache({ jwksUrl: config.keys.jwksUrl, store, fetch: fetchDirect, log, now: Date.now });
  await cache.start();
  return { algorithm: 'RS256', cache };
}

/** What a person or the journal reads when it doesn't start: every fault on a line of its own. */
function explain(error: unknown): string {
  if (!(error instanceof SpoqError))
    return `conductor: it could not start: ${error instanceof Error ? error.message : String(error)}\n`;
  const faults = error.faults.map(({ field, message }) => `  ${field}: ${message}\n`).join('');
  return `conductor: ${error.detail ?? `${error.title}.`} ${error.next}\n${faults}`;
}

try {
  await main();
} catch (error) {
  process.stderr.write(explain(error));
  process.exit(error instanceof SpoqError ? error.exit : 1);
}
