import { LocalWorkspace } from '@pulumi/pulumi/automation/index.js';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import path from 'node:path';
import { PLANS } from '../contract/billing.ts';
import type { ProviderName } from '../contract/vps.ts';
import { createEngine } from '../control-plane/engine/create-engine.ts';
import { REGIONS } from '../control-plane/regions/regions.ts';
import { createSandbox } from '../sandbox/index.ts';
import { createProgram } from '../stacks/program.ts';
import { parseBoxSpec } from '../stacks/spec.ts';
import type { BoxSpec } from '../stacks/spec.ts';

export interface EngineBenchOptions {
  /** An empty folder. */
  dir: string;
  /** With the engine, our provider and the plugins. */
  searchPath: string;
  backendUrl: string;
  conductor: string[];
}

/** The same box made in two ways; each answers the milliseconds from the call to the outputs. */
export interface EngineBench {
  /** As Spoq makes it: one run of the engine, plugins that stay, outputs from its events. */
  lean(provider?: ProviderName): Promise<number>;
  /** As the Automation API does by itself: createStack, up, with its further starts of the engine. */
  stock(): Promise<{ total: number; up: number }>;
  close(): Promise<void>;
}

/** Vendors that take no time, so that the engine's part is what is measured. */
const NO_DELAYS = { provisioning_ms: 0, installing_ms: 0, action_ms: 0, address_ms: 0 };

/** Opens the vendors and both ways to the engine, on the same state. */
export async function openEngineBench(options: EngineBenchOptions): Promise<EngineBench> {
  const { dir } = options;
  for (const name of ['pulumi', 'sandbox']) mkdirSync(path.join(dir, name));
  const sandbox = await createSandbox({
    stateDir: path.join(dir, 'sandbox'),
    vendors: ['contabo', 'hostinger', 'cloudflare'],
    delays: NO_DELAYS,
    machines: { conductor: options.conductor },
  });
  const { CLOUDFLARE_API_URL = '', ...credentials } = sandbox.credentials;
  const env: Record<string, string> = {
    ...credentials,
    HOME: dir,
    PATH: options.searchPath,
    CLOUDFLARE_BASE_URL: CLOUDFLARE_API_URL,
    PULUMI_HOME: path.join(dir, 'pulumi'),
    PULUMI_BACKEND_URL: options.backendUrl,
    PULUMI_CONFIG_PASSPHRASE: 'a passphrase for measurements',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PROVISION_POLL_MS: '20',
    PROVISION_DEADLINE_SECONDS: '60',
  };
  const engine = createEngine({ env });
  const edgePort = new URL(sandbox.urls['edge'] ?? '').port;
  return {
    async lean(provider) {
      const spec = createSpec(credentials['CLOUDFLARE_ZONE_ID'] ?? '', edgePort, provider);
      const began = performance.now();
      await engine.up(spec, { isFirst: true }); // as the worker does when a box was just asked for
      return performance.now() - began;
    },
    async stock() {
      const spec = createSpec(credentials['CLOUDFLARE_ZONE_ID'] ?? '', edgePort);
      const workDir = mkdtempSync(path.join(dir, 'stock-'));
      const began = performance.now();
      const stack = await LocalWorkspace.createStack(
        { stackName: spec.stack, projectName: 'spoq', program: createProgram(spec) },
        { workDir, envVars: env },
      );
      const created = performance.now();
      await stack.up();
      return { total: performance.now() - began, up: performance.now() - created };
    },
    async close() {
      await engine.close();
      await sandbox.close();
    },
  };
}

function createSpec(zoneId: string, edgePort: string, provider: ProviderName = 'contabo'): BoxSpec {
  const stack = `box-${randomUUID()}`;
  const hostname = `u${stack.slice(4, 12)}.spoq.localhost`;
  const nowhere = 'http://127.0.0.1:9'; // a box asks for keys and releases only when somebody calls it
  return parseBoxSpec({
    stack,
    owner_id: randomUUID(),
    hostname,
    url: `http://${hostname}:${edgePort}`,
    provider,
    region: REGIONS[provider][0].id,
    product: provider === 'contabo' ? PLANS.basic.contabo_product : PLANS.basic.hostinger_item,
    password_crypt: '$6$saltsaltsalt$Crypt.hash.of.nobodys.password',
    auth: { issuer: nowhere, algorithm: 'RS256', jwks_url: `${nowhere}/.well-known/jwks.json` },
    ai: { provider: 'anthropic' },
    model_keys: { anthropic: 'sandboxed' },
    releases: { base_url: `${nowhere}/releases`, sha256: {} },
    converge: 'none', // such machines have no SSH server
    dns: { zone_id: zoneId },
  });
}
