import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { createConductor } from '../app.ts';
import type { ConductorDeps } from '../app.ts';
import { createConversations, endInterrupted } from '../conversations/create-conversations.ts';
import { createFiles } from '../files/client.ts';
import { createKeyCache } from '../key-cache.ts';
import { createFindCertificate } from '../certificate.ts';
import { createFindVersions } from '../system.ts';
import { createKeyCheck } from '../keys/check-key.ts';
import { createFileKeeper } from '../keys/file-keeper.ts';
import { createKeyRing } from '../keys/key-ring.ts';
import type { KeyKeeper } from '../keys/key-ring.ts';
import { describeBug } from '../problems.ts';
import { createKeyStore } from '../key-file.ts';
import { LIMITS, openListeners } from '../listeners.ts';
import { createBudget, keepUnsettled } from '../budget/create-budget.ts';
import type { Limits } from '../budget/budget.ts';
import { createModels } from '../model/models.ts';
import type { AiConfig, ProviderConfig } from '../config.ts';
import { fetchDirect } from '../reach.ts';
import { createReachability } from '../reachability.ts';
import { createRevocations, findRevocationsUrl } from '../revocations.ts';
import { createRunParts } from '../run/create-run-parts.ts';
import type { RunPartsDeps } from '../run/create-run-parts.ts';
import { takeSnapshot } from '../run/take-snapshot.ts';
import { createStore } from '../store/store.ts';
import type { Workplaces } from '../workplace/workplace.ts';
import { createTokenVerifier } from '../token-verifier.ts';
import type { Target } from './client.ts';
import type { TestControlPlane } from './control-plane.ts';
import { HOSTNAME, ISSUER, OWNER_ID } from './tokens.ts';

export interface StartOptions {
  plane: Pick<TestControlPlane, 'jwksUrl'>;
  /** Whose box it is; that of the test tokens when left out. */
  identity?: { issuer: string; hostname: string; ownerId: string };
  /** How often it looks for revocations. */
  intervals?: { refreshMs: number; retryMs: number };
  /** One provider and its model. */
  model?: Partial<TestModel>;
  /** What the configuration says besides. */
  ai?: Partial<AiConfig>;
  /** The port of its front door; one where nobody listens when left out. */
  frontDoor?: number;
  /** The program on the box. */
  spoq?: string;
  /** The clock of its money. */
  now?: () => number;
  /** Where the owner's model keys outlive it. */
  keeper?: KeyKeeper;
  /** In micro-dollars; far away when left out. */
  budget?: Partial<Limits>;
  limits?: ConductorDeps['limits'] & { asks?: number };
  /** Where it keeps its state; a folder of its own that goes with it when left out. */
  stateDir?: string;
  /** False: what is left at work gets no end. */
  recover?: boolean;
  /** Where `conductor files` listens. */
  files?: string;
  /** Where runs work; nowhere when left out. */
  workplaces?: Workplaces;
  /** The snapshot of every workspace; what `conductor files` writes down when left out. */
  snapshot?: () => string;
  runs?: Partial<Pick<RunPartsDeps, 'rules' | 'servers' | 'limits' | 'fetch'>>;
  /** What one connection may cost, where it differs. */
  http?: Partial<typeof LIMITS>;
}

export interface TestConductor {
  local: Target & { port: number };
  remote: Target & { socketPath: string };
  /** Method and path of all that is there. */
  routes: string[];
  /** Log lines, parsed. */
  logs: Record<string, unknown>[];
  stop(graceMs: number): Promise<void>;
  close(): Promise<void>;
}

/** A logger that keeps its lines. */
export function createTestLog(lines: Record<string, unknown>[]): Logger {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return pino({ base: null }, sink);
}

/** A conductor in this process with both listeners open, on a free port and a socket in a folder of its own. */
export async function startConductor(options: StartOptions): Promise<TestConductor> {
  const dir = await mkdtemp(join(tmpdir(), 'conductor-'));
  const store = createStore(options.stateDir ?? join(dir, 'state'), () => undefined);
  if (options.recover !== false) {
    keepUnsettled(store);
    await endInterrupted(store, Date.now);
  }
  const logs: Record<string, unknown>[] = [];
  const log = createTestLog(logs);
  const ai = createAiConfig(options.model, options.ai);
  const modelKeys = await createKeyRing({
    providers: ai.providers,
    keeper: options.keeper ?? createFileKeeper(options.stateDir ?? join(dir, 'state')),
    checkKey: createKeyCheck(fetchDirect, 300),
    now: options.now ?? Date.now,
    onFailure: (error) => log.error(describeBug(error), 'the keys of the models'),
  });
  const reachability = createReachability(Date.now);
  const cache = createKeyCache({
    jwksUrl: options.plane.jwksUrl,
    store: createKeyStore(dir),
    fetch: fetchDirect,
    log,
    reachability,
    now: Date.now,
  });
  await cache.start();
  const keys = { algorithm: 'RS256', cache } as const;
  const identity = options.identity ?? { issuer: ISSUER, hostname: HOSTNAME, ownerId: OWNER_ID };
  const revocations = createRevocations({
    ...identity,
    url: findRevocationsUrl({ revocationsUrl: undefined, jwksUrl: options.plane.jwksUrl, ...identity }),
    keys,
    fetch: fetchDirect,
    log,
    reachability,
    now: Date.now,
    ...(options.intervals === undefined ? {} : { intervals: options.intervals }),
  });
  revocations.start();
  const models = createModels({ config: ai, findKey: modelKeys.find, fetch: fetchDirect });
  const budget = createBudget({ store, now: options.now ?? Date.now, defaults: { ...FAR_AWAY, ...options.budget } });
  const conversations = createConversations({ store, now: Date.now, limit: options.limits?.asks });
  const retryPolicy = options.limits?.retryPolicy ?? { retries: 2, backoffMs: 1, waitBudgetMs: 3000 };
  const { snapshot } = options;
  const files = createFiles(options.files);
  const parts = createRunParts({
    store,
    conversations,
    models,
    calls: { budget, keys: modelKeys, reachability, policy: retryPolicy },
    rules: { allow: [], ask: [], deny: [] },
    servers: [],
    ...options.runs,
    workplaces: options.workplaces,
    takeSnapshot:
      snapshot === undefined ? (workspace) => takeSnapshot(files, workspace) : () => Promise.resolve(snapshot()),
    now: Date.now,
    reportBug: (error) => log.error(describeBug(error), 'bug'),
  });
  const conductor = createConductor({
    hostname: identity.hostname,
    version: '0.0.0-test',
    verifyToken: createTokenVerifier({ ...identity, keys, revocations }),
    models,
    keys: modelKeys,
    findCertificate: createFindCertificate(identity.hostname, Date.now, options.frontDoor ?? 1),
    findVersions: createFindVersions(options.spoq),
    budget,
    files,
    log,
    reachability,
    conversations,
    ...parts,
    limits: { retryPolicy, ...options.limits },
  });
  if (options.recover !== false) parts.runs.reviveAll();
  const listeners = await openListeners(
    conductor,
    { port: 0, socket: join(dir, 'remote.sock') },
    { ...LIMITS, ...options.http },
  );
  return {
    routes: conductor.routes,
    local: { port: listeners.port },
    remote: { socketPath: listeners.socket },
    logs,
    stop: (graceMs) => conductor.stop(graceMs),
    async close() {
      await Promise.all([revocations.stop(), cache.stop(), listeners.close(100), conductor.stop(0)]);
      store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export const TEST_API_KEY = 'sk-test-0123456789abcdef';

interface TestModel {
  provider: 'anthropic' | 'openai';
  model: string;
  apiKey: string | undefined;
  baseUrl: string;
  maxOutputTokens: number;
  stallMs: number;
}

const FAR_AWAY: Limits = { day: 1e9, month: 1e9, conversation: 1e9 };
/** Models of the tests that no provider has. */
const TEST_PRICES = { 'claude-other': { input: 1, output: 1 } };

function createAiConfig(model: Partial<TestModel> = {}, changes: Partial<AiConfig> = {}): AiConfig {
  const { provider = 'anthropic', baseUrl, maxOutputTokens = 8192, stallMs = 10_000 } = model;
  const key = 'apiKey' in model ? model.apiKey : TEST_API_KEY;
  const create = (name: 'anthropic' | 'openai'): ProviderConfig => {
    return { name, kind: name, baseUrl, key: name === provider ? key : undefined, models: [] };
  };
  return {
    provider,
    model: model.model,
    providers: [create('anthropic'), create('openai')],
    fallback: [],
    aliases: {},
    prices: TEST_PRICES,
    maxOutputTokens,
    stallMs,
    ...changes,
  };
}
