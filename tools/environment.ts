import path from 'node:path';
import { VARIABLES } from '../control-plane/config.ts';
import type { Secrets } from './state-folder.ts';
import { VENDOR_VARIABLES } from './vendors.ts';
import type { VendorName } from './vendors.ts';

/** Variables of the person's shell that any program may need. Everything else, keys above all, is handed on by name only. */
const COMMON = [
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'TMPDIR',
  'LANG',
  'LC_ALL',
  'TERM',
  'NO_COLOR',
  'XDG_CACHE_HOME',
  'SPOQ_CACHE_DIR',
  'NODE_COMPILE_CACHE',
];
const NETWORK = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
];
const BASE_URLS: Partial<Record<VendorName, string[]>> = {
  stripe: ['STRIPE_API_URL'],
  github: ['GITHUB_URL', 'GITHUB_API_URL'],
  contabo: ['CONTABO_API_URL', 'CONTABO_AUTH_URL'],
  hostinger: ['HOSTINGER_API_URL'],
  cloudflare: ['CLOUDFLARE_API_URL'],
  anthropic: ['ANTHROPIC_BASE_URL'],
  openai: ['OPENAI_BASE_URL'],
};

/** The variables of `env` that are called so. */
function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]]])),
  );
}

/** What every program we start is given: enough to run, and no key that is not meant for it. `pathDirs` come first on PATH. */
export function commonEnvironment(env: NodeJS.ProcessEnv, pathDirs: readonly string[]): Record<string, string> {
  const searchPath = [...new Set([...pathDirs, ...(env['PATH'] ?? '').split(path.delimiter)])].filter(
    (dir) => dir !== '',
  );
  return { ...pick(env, [...COMMON, ...NETWORK]), PATH: searchPath.join(path.delimiter) };
}

export interface SandboxEnvironment {
  env: NodeJS.ProcessEnv;
  sandboxed: readonly VendorName[];
  /** What the sandbox said, or placeholders before it runs. */
  credentials: Record<string, string>;
  secrets: Secrets;
  baseUrl: string;
  port: number;
  edgeUrl: string;
  databaseUrl: string;
  backendUrl: string;
  releasesDir: string;
}

/**
 * The control plane's configuration on this machine: our values, over them what the person set, over them the credentials of
 * every sandboxed vendor, whose URLs nobody else can know.
 */
export function sandboxEnvironment(options: SandboxEnvironment): Record<string, string> {
  const { env, credentials, secrets } = options;
  const edge = new URL(options.edgeUrl);
  const ours = {
    SPOQ_ENV: 'sandbox',
    DATABASE_URL: options.databaseUrl,
    PULUMI_BACKEND_URL: options.backendUrl,
    SERVER_HOST: '127.0.0.1',
    SERVER_PORT: String(options.port),
    BASE_URL: options.baseUrl,
    BOX_DOMAIN: 'spoq.localhost',
    BOX_URL_TEMPLATE: `http://{hostname}:${edge.port}`,
    ENCRYPTION_KEY: secrets.ENCRYPTION_KEY,
    PULUMI_CONFIG_PASSPHRASE: secrets.PULUMI_CONFIG_PASSPHRASE,
    RELEASES_DIR: options.releasesDir,
    PROVISION_POLL_MS: '200',
    PROVISION_DEADLINE_SECONDS: '120',
  };
  const hidden = new Set(options.sandboxed.flatMap((name) => [...VENDOR_VARIABLES[name], ...(BASE_URLS[name] ?? [])]));
  const theirs = pick(
    env,
    VARIABLES.filter((name) => !hidden.has(name)),
  );
  return { ...ours, ...theirs, ...credentials };
}
