import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parsePublicKey } from '../contract/minisign.ts';
import { isLocalhostName, isLoopbackName } from '../contract/loopback.ts';
import { PROVIDERS } from '../contract/vps.ts';
import { parseEncryptionKeys } from './cipher.ts';
import { parseProxies } from './client-address.ts';

/** A value that must never be printed: logs, JSON and errors show `[redacted]`. `reveal()` is the one way in. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return '[redacted]';
  }
  toJSON(): string {
    return '[redacted]';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

/** Everything that is wrong with the environment, by variable name, at once. */
export class ConfigError extends Error {
  readonly faults: { name: string; message: string }[];
  constructor(faults: { name: string; message: string }[]) {
    super(
      `The configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((f) => `  ${f.name}: ${f.message}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

const text = z.string().trim().min(1, 'is empty');
const secret = text.transform((value) => new Secret(value));
const url = z
  .url({ protocol: /^https?$/, error: 'is not an http(s) URL' })
  .transform((value) => value.replace(/\/+$/, ''));
const whole = (min: number, max: number) => z.coerce.number({ error: 'is not a number' }).int().min(min).max(max);
const hostName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/, 'is not a host name');

/** A file that is read once, here: what is in it counts, not where it is. */
const pemFile = text.transform((file, context) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    context.addIssue('names a file that cannot be read');
    return z.NEVER;
  }
});

function isPublicKey(value: string): boolean {
  try {
    return parsePublicKey(value).text === value;
  } catch {
    return false;
  }
}

const proxies = z.string().transform((list, context) => {
  try {
    return parseProxies(list);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const encryptionKeys = text.transform((list, context) => {
  try {
    parseEncryptionKeys(list);
    return new Secret(list);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const Environment = z.object({
  SPOQ_ENV: z.enum(['sandbox', 'production']).default('sandbox'),
  DATABASE_URL: text
    .refine((value) => /^postgres(ql)?:\/\//.test(value), 'is not a postgres:// URL')
    .transform((v) => new Secret(v)),
  SERVER_HOST: text.default('0.0.0.0'),
  SERVER_PORT: whole(0, 65_535).default(8080),
  METRICS_PORT: whole(0, 65_535).optional(),
  METRICS_TOKEN: secret.optional(),
  TRUSTED_PROXIES: proxies.default([]),
  BASE_URL: url,
  BOX_CONTROL_PLANE_URL: url.optional(),
  BOX_DOMAIN: hostName,
  BOX_URL_TEMPLATE: text
    .refine((value) => value.includes('{hostname}'), 'has no {hostname}')
    .default('https://{hostname}'),
  BOX_CONVERGE: z.enum(['ssh', 'none'], 'is neither ssh nor none').default('ssh'),
  ENCRYPTION_KEY: encryptionKeys,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  RELEASES_DIR: text.default('dist/release'),
  RELEASES_PUBLIC_KEY: text.refine(isPublicKey, 'is not a public key of minisign').optional(),
  GITHUB_CLIENT_ID: text,
  GITHUB_CLIENT_SECRET: secret,
  GITHUB_REDIRECT_URI: url.optional(),
  GITHUB_URL: url.default('https://github.com'),
  GITHUB_API_URL: url.default('https://api.github.com'),
  STRIPE_SECRET_KEY: secret,
  STRIPE_WEBHOOK_SECRET: secret,
  STRIPE_TEST_CLOCK: text.optional(),
  STRIPE_API_URL: url.default('https://api.stripe.com'),
  SMTP_URL: text
    .refine((value) => /^smtps?:\/\/./.test(value), 'is not an smtp:// or smtps:// URL')
    .transform((v) => new Secret(v))
    .optional(),
  MAIL_FROM: text.optional(),
  DRAIN_SECONDS: whole(0, 60).default(0),
  SUSPEND_AFTER_DAYS: whole(0, 7).default(3),
  UNCLAIMED_DAYS: whole(1, 60).default(7),
  VPS_PROVIDER: z.enum(PROVIDERS).default('contabo'),
  CONTABO_CLIENT_ID: text.optional(),
  CONTABO_CLIENT_SECRET: secret.optional(),
  CONTABO_API_USER: text.optional(),
  CONTABO_API_PASSWORD: secret.optional(),
  CONTABO_API_URL: url.default('https://api.contabo.com'),
  CONTABO_AUTH_URL: url.default('https://auth.contabo.com/auth/realms/contabo/protocol/openid-connect/token'),
  HOSTINGER_API_KEY: secret.optional(),
  HOSTINGER_API_URL: url.default('https://developers.hostinger.com'),
  HOSTINGER_PAYMENT_METHOD_ID: whole(1, Number.MAX_SAFE_INTEGER).optional(),
  ACME_DIRECTORY_URL: url.optional(),
  ACME_CA_FILE: pemFile.optional(),
  CLOUDFLARE_API_TOKEN: secret,
  CLOUDFLARE_ZONE_ID: z.string().regex(/^[0-9a-f]{32}$/, 'is not a Cloudflare zone id (32 hex digits)'),
  CLOUDFLARE_API_URL: url.default('https://api.cloudflare.com/client/v4'),
  ANTHROPIC_API_KEY: secret.optional(),
  ANTHROPIC_BASE_URL: url.optional(),
  OPENAI_API_KEY: secret.optional(),
  OPENAI_BASE_URL: url.optional(),
  MODEL_PROVIDER: z.enum(['anthropic', 'openai']).default('anthropic'),
  MODEL: text.optional(),
  PULUMI_BACKEND_URL: text.transform((v) => new Secret(v)).optional(),
  PULUMI_CONFIG_PASSPHRASE: secret,
  PROVISION_POLL_MS: whole(10, 600_000).default(5_000),
  PROVISION_DEADLINE_SECONDS: whole(1, 86_400).default(1_800),
  WORKER_CONCURRENCY: whole(1, 64).default(4),
  JWT_ALGORITHM: z.enum(['RS256', 'HS256']).default('RS256'),
  JWT_ACCESS_TOKEN_EXPIRY_SECS: whole(60, 86_400).default(600),
  JWT_REFRESH_TOKEN_EXPIRY_DAYS: whole(1, 365).default(30),
});

/** The names of every variable that is read; docs/operations.md describes each. */
export const VARIABLES = Object.keys(Environment.shape);

/** The whole configuration; shapes as in the environment table of docs/operations.md, secrets wrapped. */
export type Config = Readonly<
  Omit<
    z.output<typeof Environment>,
    'BOX_CONTROL_PLANE_URL' | 'GITHUB_REDIRECT_URI' | 'MAIL_FROM' | 'PULUMI_BACKEND_URL'
  > & {
    BOX_CONTROL_PLANE_URL: string;
    MAIL_FROM: string;
    GITHUB_REDIRECT_URI: string;
    PULUMI_BACKEND_URL: Secret;
  }
>;

const GROUPS = {
  contabo: ['CONTABO_CLIENT_ID', 'CONTABO_CLIENT_SECRET', 'CONTABO_API_USER', 'CONTABO_API_PASSWORD'],
  hostinger: ['HOSTINGER_API_KEY'],
} as const;

const PRODUCTION_URLS = [
  'BASE_URL',
  'BOX_CONTROL_PLANE_URL',
  'GITHUB_URL',
  'GITHUB_API_URL',
  'STRIPE_API_URL',
  'CONTABO_API_URL',
  'CONTABO_AUTH_URL',
  'HOSTINGER_API_URL',
  'CLOUDFLARE_API_URL',
  'ACME_DIRECTORY_URL',
  'ANTHROPIC_BASE_URL',
  'OPENAI_BASE_URL',
] as const;

/**
 * Reads the configuration out of `env` (empty strings count as unset).
 * @throws ConfigError with every fault, by name. Values are never part of a message.
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = Environment.safeParse(given);
  const faults = parsed.success
    ? []
    : parsed.error.issues.map((issue) => ({
        name: issue.path.join('.'),
        message: given[String(issue.path[0])] === undefined ? 'is not set' : issue.message,
      }));
  const provider = given['VPS_PROVIDER'] ?? 'contabo';
  for (const [name, group] of Object.entries(GROUPS)) {
    const missing = group.filter((variable) => given[variable] === undefined);
    if (missing.length === 0 || (missing.length === group.length && name !== provider)) continue;
    const reason =
      name === provider
        ? `is not set, and VPS_PROVIDER is ${name}`
        : `is not set, though the rest of ${name}'s variables are`;
    faults.push(...missing.map((variable) => ({ name: variable, message: reason })));
  }
  const modelKey = given['MODEL_PROVIDER'] === 'openai' ? 'OPENAI_API_KEY' : 'ANTHROPIC_API_KEY';
  if (given[modelKey] === undefined)
    faults.push({ name: modelKey, message: 'is not set, and boxes ask this model provider' });
  if (given['TRUSTED_PROXY_HOPS'] !== undefined)
    faults.push({ name: 'TRUSTED_PROXY_HOPS', message: 'is not read any more: name your proxies in TRUSTED_PROXIES' });
  if (given['SPOQ_ENV'] === 'production') faults.push(...productionFaults(given));
  if (!parsed.success || faults.length > 0)
    throw new ConfigError(faults.toSorted((a, b) => a.name.localeCompare(b.name)));
  return Object.freeze({
    ...parsed.data,
    BOX_CONTROL_PLANE_URL: parsed.data.BOX_CONTROL_PLANE_URL ?? parsed.data.BASE_URL,
    MAIL_FROM: parsed.data.MAIL_FROM ?? `Spoq <no-reply@${new URL(parsed.data.BASE_URL).hostname}>`,
    GITHUB_REDIRECT_URI: parsed.data.GITHUB_REDIRECT_URI ?? `${parsed.data.BASE_URL}/auth/github/callback`,
    PULUMI_BACKEND_URL: parsed.data.PULUMI_BACKEND_URL ?? parsed.data.DATABASE_URL,
  });
}

/** Shorter values would blot out ordinary words. */
const SHORTEST_SECRET = 6;

/** Every value that must not be printed: those of type Secret, and passwords within URLs. */
export function listSecrets(config: Config): string[] {
  const values = Object.values(config).flatMap((value) => (value instanceof Secret ? [value.reveal()] : []));
  const passwords = values.flatMap((value) => (URL.canParse(value) ? [new URL(value).password] : []));
  const keys = config.ENCRYPTION_KEY.reveal().split(/\s*,\s*/);
  return [...new Set([...values, ...passwords, ...keys])].filter((value) => value.length >= SHORTEST_SECRET);
}

/** What starts all the same, and is worth an operator's look: lines for the log. */
export function listConfigWarnings(config: Config): string[] {
  const isBehindProxy = config.SPOQ_ENV === 'production' && config.BASE_URL.startsWith('https://');
  if (!isBehindProxy || config.TRUSTED_PROXIES.length > 0) return [];
  return [
    'TRUSTED_PROXIES is not set, and TLS ends in front of this server: everybody counts as one address, the proxy, ' +
      'and shares its limits',
  ];
}

/** In production nothing may point to this machine, and what people reach must be https. */
function productionFaults(given: Record<string, string | undefined>): { name: string; message: string }[] {
  const faults: { name: string; message: string }[] = [];
  for (const name of PRODUCTION_URLS) {
    const value = given[name];
    if (value === undefined || !URL.canParse(value)) continue;
    const { protocol, hostname } = new URL(value);
    if (isLoopbackName(hostname)) faults.push({ name, message: 'points to this machine, and SPOQ_ENV is production' });
    else if (protocol !== 'https:') faults.push({ name, message: 'is not https, and SPOQ_ENV is production' });
  }
  if (given['BOX_URL_TEMPLATE'] !== undefined && !given['BOX_URL_TEMPLATE'].startsWith('https://'))
    faults.push({ name: 'BOX_URL_TEMPLATE', message: 'is not https, and SPOQ_ENV is production' });
  if (given['BOX_DOMAIN'] !== undefined && isLocalhostName(given['BOX_DOMAIN']))
    faults.push({ name: 'BOX_DOMAIN', message: 'is a .localhost name, and SPOQ_ENV is production' });
  if (given['STRIPE_TEST_CLOCK'] !== undefined)
    faults.push({ name: 'STRIPE_TEST_CLOCK', message: 'is set, and SPOQ_ENV is production' });
  if (given['SMTP_URL'] === undefined)
    faults.push({ name: 'SMTP_URL', message: 'is not set, and SPOQ_ENV is production' });
  if (given['RELEASES_PUBLIC_KEY'] === undefined)
    faults.push({ name: 'RELEASES_PUBLIC_KEY', message: 'is not set, and SPOQ_ENV is production' });
  return faults;
}
