import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';

export { quoteForShell } from '../../stacks/box-files.ts';

/** What the engine and its plugins get of the environment of this process: the system's own, and nothing of other vendors. */
const SYSTEM = [
  'PATH',
  'HOME',
  'USER',
  'LANG',
  'TZ',
  'TMPDIR',
  'PULUMI_HOME',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
];

/** The provider plugin and the box check, as the engine looks for them. */
const STACKS_BIN = fileURLToPath(new URL('../../stacks/bin', import.meta.url));

/** The whole environment of the engine: state, passphrase, vendors. Holds secrets; they reach no argument and no state. */
export function createEngineEnvironment(
  config: Config,
  env: Record<string, string | undefined>,
): Record<string, string> {
  const values: Record<string, string | number | undefined> = {
    ...Object.fromEntries(SYSTEM.map((name) => [name, env[name]])),
    PATH: [STACKS_BIN, env['PATH'] ?? ''].join(delimiter),
    PULUMI_BACKEND_URL: createBackendUrl(config.PULUMI_BACKEND_URL.reveal()),
    PULUMI_CONFIG_PASSPHRASE: config.PULUMI_CONFIG_PASSPHRASE.reveal(),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    // Its Postgres backend opens two connections per processor and holds one per stack it lists while it asks for another: with
    // more stacks than connections `pulumi stack ls` waits for itself for ever. One at a time it can't.
    PULUMI_DIY_BACKEND_PARALLEL: 1,
    // Every update would leave one more copy of the state in the database; its history stays.
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    // The engine lives for a second: collecting garbage less often takes an eighth off its work, at a few dozen MB.
    GOGC: '400',
    // Plugins of ours start with every operation; compiled once, they start in two thirds of the time. In the home and not in the
    // system's temporary folder, where others of this machine could put code of theirs.
    NODE_COMPILE_CACHE: env['HOME'] ? join(env['HOME'], '.cache', 'spoq', 'compiled') : undefined,
    CONTABO_API_URL: config.CONTABO_API_URL,
    CONTABO_AUTH_URL: config.CONTABO_AUTH_URL,
    CONTABO_CLIENT_ID: config.CONTABO_CLIENT_ID,
    CONTABO_CLIENT_SECRET: config.CONTABO_CLIENT_SECRET?.reveal(),
    CONTABO_API_USER: config.CONTABO_API_USER,
    CONTABO_API_PASSWORD: config.CONTABO_API_PASSWORD?.reveal(),
    HOSTINGER_API_URL: config.HOSTINGER_API_URL,
    HOSTINGER_API_KEY: config.HOSTINGER_API_KEY?.reveal(),
    HOSTINGER_PAYMENT_METHOD_ID: config.HOSTINGER_PAYMENT_METHOD_ID,
    CLOUDFLARE_API_TOKEN: config.CLOUDFLARE_API_TOKEN.reveal(),
    CLOUDFLARE_BASE_URL: config.CLOUDFLARE_API_URL,
    CLOUDFLARE_ZONE_ID: config.CLOUDFLARE_ZONE_ID,
    PROVISION_POLL_MS: config.PROVISION_POLL_MS,
    PROVISION_DEADLINE_SECONDS: config.PROVISION_DEADLINE_SECONDS,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, String(value)]],
    ),
  );
}

/** The engine knows `postgres://` only, and its driver tries TLS first; a server on this machine usually has none. */
function createBackendUrl(url: string): string {
  if (!/^postgres(ql)?:/.test(url)) return url;
  const backend = new URL(url.replace(/^postgresql:/, 'postgres:'));
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(backend.hostname);
  if (isLocal && !backend.searchParams.has('sslmode')) backend.searchParams.set('sslmode', 'disable');
  return backend.href;
}
