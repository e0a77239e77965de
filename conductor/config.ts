import { parse, TomlError } from 'smol-toml';
import { SpoqError } from '../contract/errors.ts';
import type { Fault } from '../contract/errors.ts';
import { ConductorConfig } from '../contract/files.ts';
import { isLoopbackName, isTestAddress } from '../contract/loopback.ts';
import type { Limits } from './budget/budget.ts';
import type { OwnPrice } from './budget/prices.ts';
import { findRevocationsUrl } from './revocations.ts';
import type { McpServer } from './run/mcp/open-servers.ts';
import type { RuleTexts } from './run/permissions.ts';
import { parseRule } from './run/rules/rules.ts';

/** How tokens are checked: with the control plane's public keys, or with a secret of this box alone. */
export type TokenKeys = { algorithm: 'RS256'; jwksUrl: string } | { algorithm: 'HS256'; secret: string };

export interface ProviderConfig {
  name: string;
  /** `compatible`: speaks as OpenAI's chat completions do, and needs no key. */
  kind: 'anthropic' | 'openai' | 'compatible';
  baseUrl: string | undefined;
  /** That the box came with. */
  key: string | undefined;
  /** Models to list besides those with a price. */
  models: string[];
}

export interface AiConfig {
  /** Asked where nothing else is said: the provider, and its model where that isn't its default. */
  provider: string;
  model: string | undefined;
  providers: ProviderConfig[];
  fallback: string[];
  aliases: Record<string, string>;
  prices: Record<string, OwnPrice>;
  maxOutputTokens: number;
  /** Milliseconds without a byte from the model. */
  stallMs: number;
}

export interface Config {
  port: number;
  socket: string;
  ownerId: string;
  hostname: string;
  issuer: string;
  keys: TokenKeys;
  revocationsUrl: string;
  ai: AiConfig;
  budget: Limits;
  /** Where the owner's files are reached. */
  filesSocket: string | undefined;
  /** What runs may do. */
  rules: RuleTexts;
  /** Started in the place of each run. */
  servers: McpServer[];
  logLevel: string;
}

export interface ConfigSources {
  /** The text of config.toml. */
  toml: string;
  /** Where that text came from, for who has to correct it. */
  path: string;
  /** `--port` and `--socket`, which override the file. */
  port?: string | undefined;
  socket?: string | undefined;
  env: Record<string, string | undefined>;
}

const START_AGAIN = 'Correct what is named and start again.';
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Reads the whole configuration. Throws `invalid_request` that names every fault at once. */
export function loadConfig(sources: ConfigSources): Config {
  const faults: Fault[] = [];
  const port = readPort(sources.port, faults);
  const logLevel = readLogLevel(sources.env['LOG_LEVEL'], faults);
  const file = readFileText(sources.toml, faults);
  const keys = file === undefined ? undefined : readTokenKeys(file.auth, faults);
  if (file !== undefined) checkRules(file.rules, faults);
  const ai = file === undefined ? undefined : readAi(file, sources.env, faults);
  if (file === undefined || keys === undefined || ai === undefined || faults.length > 0) {
    throw new SpoqError('invalid_request', {
      detail: `The configuration in ${sources.path} is not valid.`,
      next: START_AGAIN,
      faults,
    });
  }
  return {
    port: port ?? file.server.port,
    socket: sources.socket ?? file.server.socket,
    ownerId: file.auth.owner_id,
    hostname: file.auth.hostname,
    issuer: file.auth.issuer,
    keys,
    revocationsUrl: findRevocationsUrl({
      revocationsUrl: file.auth.revocations_url,
      jwksUrl: file.auth.algorithm === 'RS256' ? file.auth.jwks_url : undefined,
      issuer: file.auth.issuer,
      hostname: file.auth.hostname,
    }),
    ai,
    budget: readBudget(file.budget),
    filesSocket: file.files.socket,
    rules: file.rules,
    servers: Object.entries(file.mcp).map(([name, server]) => ({ name, ...server })),
    logLevel,
  };
}

function readFileText(toml: string, faults: Fault[]): ConductorConfig | undefined {
  let raw: unknown;
  try {
    raw = parse(toml);
  } catch (error) {
    // smol-toml shows the line it stumbled over, which may hold jwt_secret: only its first line is told.
    const [first = 'not TOML'] = error instanceof Error ? error.message.split('\n', 1) : [];
    const message = error instanceof TomlError ? `${first} (line ${error.line})` : first;
    faults.push({ field: 'file', message });
    return undefined;
  }
  const result = ConductorConfig.safeParse(raw);
  if (result.success) return result.data;
  for (const { path, message } of result.error.issues) faults.push({ field: path.join('.') || 'file', message });
  return undefined;
}

function checkRules(rules: RuleTexts, faults: Fault[]): void {
  for (const [field, texts] of Object.entries(rules) as [string, string[]][])
    for (const text of texts) {
      try {
        parseRule(text);
      } catch (error) {
        faults.push({ field: `rules.${field}`, message: error instanceof Error ? error.message : 'is no rule' });
      }
    }
}

function readTokenKeys(auth: ConductorConfig['auth'], faults: Fault[]): TokenKeys | undefined {
  if (auth.algorithm === 'HS256') {
    if (auth.jwt_secret !== undefined) return { algorithm: 'HS256', secret: auth.jwt_secret };
    faults.push({ field: 'auth.jwt_secret', message: 'needed when auth.algorithm is HS256' });
    return undefined;
  }
  if (auth.jwks_url === undefined) {
    faults.push({ field: 'auth.jwks_url', message: 'needed when auth.algorithm is RS256' });
    return undefined;
  }
  const { protocol, hostname } = new URL(auth.jwks_url);
  // Whoever can change these keys on their way owns the box.
  if (protocol !== 'https:' && !(protocol === 'http:' && (isLoopbackName(hostname) || isTestAddress(hostname)))) {
    faults.push({ field: 'auth.jwks_url', message: 'must be https, or http to this machine' });
    return undefined;
  }
  return { algorithm: 'RS256', jwksUrl: auth.jwks_url };
}

function readAi({ ai, prices = {} }: ConductorConfig, env: ConfigSources['env'], faults: Fault[]): AiConfig {
  const others = Object.entries(ai.providers ?? {});
  for (const [name] of others) {
    if (name === 'anthropic' || name === 'openai') {
      faults.push({ field: `ai.providers.${name}`, message: `is there already; its address is ai.${name}_base_url` });
    }
  }
  const providers: ProviderConfig[] = [
    {
      name: 'anthropic',
      kind: 'anthropic',
      baseUrl: ai.anthropic_base_url,
      key: env['ANTHROPIC_API_KEY'] || undefined,
    },
    { name: 'openai', kind: 'openai', baseUrl: ai.openai_base_url, key: env['OPENAI_API_KEY'] || undefined },
  ].map((one) => ({ ...one, models: [] }) as ProviderConfig);
  for (const [name, { base_url, models = [] }] of others) {
    providers.push({ name, kind: 'compatible', baseUrl: base_url, key: undefined, models });
  }
  const chosen = providers.find(({ name }) => name === ai.provider);
  if (chosen === undefined)
    faults.push({ field: 'ai.provider', message: `must be one of ${providers.map(({ name }) => name).join(', ')}` });
  if (chosen?.kind === 'compatible' && ai.model === undefined) {
    faults.push({ field: 'ai.model', message: `needed when ai.provider is ${chosen.name}` });
  }
  return {
    provider: ai.provider,
    model: ai.model,
    providers,
    fallback: ai.fallback ?? [],
    aliases: ai.aliases ?? {},
    prices,
    maxOutputTokens: ai.max_output_tokens,
    stallMs: ai.timeout_seconds * 1000,
  };
}

/** In US dollars, where neither the file nor `spoq budget set` says otherwise. */
const DEFAULT_BUDGET = { day_usd: 10, month_usd: 100, conversation_usd: 5 };

function readBudget(budget: ConductorConfig['budget']): Limits {
  const { day_usd, month_usd, conversation_usd } = { ...DEFAULT_BUDGET, ...budget };
  const [day, month, conversation] = [day_usd, month_usd, conversation_usd].map((usd) =>
    Math.round(usd * 1_000_000),
  ) as [number, number, number];
  return { day, month, conversation };
}

function readPort(text: string | undefined, faults: Fault[]): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port;
  faults.push({ field: '--port', message: 'must be a number from 0 to 65535' });
  return undefined;
}

function readLogLevel(level: string | undefined, faults: Fault[]): string {
  if (!level) return 'info';
  if (!LOG_LEVELS.includes(level))
    faults.push({ field: 'LOG_LEVEL', message: `must be one of ${LOG_LEVELS.join(', ')}` });
  return level;
}
