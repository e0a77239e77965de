import { ConfigError, loadConfig } from '../control-plane/config.ts';
import { sandboxEnvironment } from './environment.ts';
import { PORT_OFFSETS } from './ports.ts';
import { chooseVendors, placeholderCredentials } from './vendors.ts';
import type { VendorChoice } from './vendors.ts';

/**
 * Decides which vendors are real and checks the whole configuration before anything starts. Throws a ConfigError with every
 * fault, by name: of the choice of vendors and of the control plane's own variables together.
 */
export function checkConfiguration(env: NodeJS.ProcessEnv, base: number): VendorChoice {
  const choice = chooseVendors(env);
  const local = `http://127.0.0.1:${base + PORT_OFFSETS.edge}`;
  const candidate = sandboxEnvironment({
    env,
    sandboxed: choice.sandboxed,
    credentials: placeholderCredentials(choice.sandboxed),
    secrets: {
      ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
      PULUMI_CONFIG_PASSPHRASE: 'x',
      POSTGRES_PASSWORD: 'x',
    },
    baseUrl: `http://localhost:${base}`,
    port: base,
    edgeUrl: local,
    databaseUrl: 'postgres://127.0.0.1/spoq',
    backendUrl: 'postgres://127.0.0.1/pulumi',
    releasesDir: 'dist/release',
  });
  const faults = [...choice.faults];
  try {
    loadConfig(candidate);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // A group that is set in part is named once: with the reason that tells what to do about it.
    faults.push(...error.faults.filter(({ name }) => !faults.some((fault) => fault.name === name)));
  }
  if (faults.length > 0) throw new ConfigError(faults.toSorted((a, b) => a.name.localeCompare(b.name)));
  return choice;
}
