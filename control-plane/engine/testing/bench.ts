import { execFileSync } from 'node:child_process';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import type { ProviderName } from '../../../contract/vps.ts';
import { createSandbox, type Sandbox } from '../../../sandbox/index.ts';
import { type BoxSpec, parseBoxSpec } from '../../../stacks/spec.ts';
import { findCompiledConductor } from '../../../test/harness/compiled-conductor.ts';
import { createTestDatabase } from '../../../test/harness/database.ts';
import { createEngine } from '../create-engine.ts';
import type { Engine } from '../engine.ts';

/**
 * Vendors, an engine whose state is in Postgres as in production (the engine's own files are not written atomically: one that is
 * killed may leave an empty `.attrs` beside a state), and the environment that both share.
 */
export interface EngineBench {
  sandbox: Sandbox;
  engine: Engine;
  /** The engine's whole environment. */
  env: Record<string, string>;
  createSpec(provider: ProviderName, changes?: Partial<BoxSpec>): BoxSpec;
  /** Ids of the machines of this name whose renewal goes on, at both vendors. */
  listLive(stack: string): Promise<string[]>;
  close(): Promise<void>;
}

export const SECRETS = {
  password_crypt: '$6$saltsaltsalt$Planted.crypt.hash.of.nobodys.password',
  anthropic: 'sk-ant-planted-model-key',
  passphrase: 'planted passphrase of a test',
} as const;

/** Whether a Pulumi engine is on PATH; without one, tests that need it say so and are skipped. */
export function hasEngine(): boolean {
  try {
    execFileSync('pulumi', ['version'], { env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: 'true' }, stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('No pulumi on PATH: the tests of the engine are skipped.\n');
    return false;
  }
}

const folderOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Starts a sandbox and points an engine to it. */
export async function createEngineBench(extra: Record<string, string> = {}): Promise<EngineBench> {
  const folder = await mkdtemp(join(tmpdir(), 'spoq-engine-test-'));
  await Promise.all(['home', 'sandbox', 'tmp'].map((name) => mkdir(join(folder, name))));
  const database = await createTestDatabase();
  const vendors = ['contabo', 'hostinger', 'cloudflare'] as const;
  const delays = { provisioning_ms: 30, installing_ms: 30, action_ms: 10 };
  const conductor = findCompiledConductor();
  const machines = conductor === undefined ? undefined : { conductor };
  const sandbox = await createSandbox({ stateDir: join(folder, 'sandbox'), vendors, delays, machines });
  const { CLOUDFLARE_API_URL, CLOUDFLARE_ZONE_ID, ...credentials } = sandbox.credentials;
  const env = {
    ...credentials,
    HOME: folder,
    // A worker that is killed can't remove the folder of its engine.
    TMPDIR: join(folder, 'tmp'),
    PATH: [folderOf('../../../stacks/bin'), folderOf('../../../sandbox/plugins'), process.env['PATH']].join(delimiter),
    CLOUDFLARE_BASE_URL: CLOUDFLARE_API_URL ?? '',
    CLOUDFLARE_ZONE_ID: CLOUDFLARE_ZONE_ID ?? '',
    PULUMI_HOME: join(folder, 'home'),
    PULUMI_BACKEND_URL: database.backendUrl,
    PULUMI_DIY_BACKEND_PARALLEL: '1',
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    PULUMI_CONFIG_PASSPHRASE: SECRETS.passphrase,
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    // As in production.
    GOGC: '400',
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(folder, 'compiled'),
    PROVISION_POLL_MS: '20',
    PROVISION_DEADLINE_SECONDS: '20',
    ...extra,
  };
  const engine = createEngine({ env });
  const edge = new URL(sandbox.urls['edge'] ?? '');
  return {
    sandbox,
    engine,
    env,
    createSpec(provider, changes = {}) {
      const stack = `box-${randomUUID()}`;
      const hostname = `u${stack.slice(4, 12)}.spoq.localhost`;
      return parseBoxSpec({
        stack,
        owner_id: randomUUID(),
        hostname,
        url: `http://${hostname}:${edge.port}`,
        provider,
        region: provider === 'contabo' ? 'EU' : 'fra',
        product: provider === 'contabo' ? 'V153' : 'hostingercom-vps-kvm2-usd-1m',
        password_crypt: SECRETS.password_crypt,
        auth: {
          issuer: 'http://127.0.0.1:9',
          algorithm: 'RS256',
          jwks_url: 'http://127.0.0.1:9/.well-known/jwks.json',
        },
        ai: { provider: 'anthropic' },
        model_keys: { anthropic: SECRETS.anthropic },
        releases: { base_url: 'http://127.0.0.1:9/releases', sha256: {} },
        converge: 'none',
        dns: { zone_id: CLOUDFLARE_ZONE_ID },
        ...changes,
      });
    },
    async listLive(stack) {
      const machines = await Promise.all([engine.inventory('contabo'), engine.inventory('hostinger')]);
      const live = machines.flat().filter((one) => one.ends_at === null && one.name === stack);
      return live.map((one) => one.provider_instance_id);
    },
    async close() {
      await engine.close();
      await sandbox.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
