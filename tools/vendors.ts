/** The vendors that Spoq uses, and the variables that make each the real one. All of a group, or none. */
export const VENDOR_VARIABLES = {
  stripe: ['STRIPE_SECRET_KEY', 'STRIPE_WEBHOOK_SECRET'],
  github: ['GITHUB_CLIENT_ID', 'GITHUB_CLIENT_SECRET'],
  contabo: ['CONTABO_CLIENT_ID', 'CONTABO_CLIENT_SECRET', 'CONTABO_API_USER', 'CONTABO_API_PASSWORD'],
  hostinger: ['HOSTINGER_API_KEY'],
  cloudflare: ['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ZONE_ID'],
  anthropic: ['ANTHROPIC_API_KEY'],
  openai: ['OPENAI_API_KEY'],
} as const;
export type VendorName = keyof typeof VENDOR_VARIABLES;
export const VENDORS = Object.keys(VENDOR_VARIABLES) as VendorName[];

/** Values of the right shape, to check a configuration before the sandbox has told its own. */
const PLACEHOLDERS: Record<string, string> = { CLOUDFLARE_ZONE_ID: '0'.repeat(32) };

export interface Fault {
  name: string;
  message: string;
}

export interface VendorChoice {
  real: VendorName[];
  sandboxed: VendorName[];
  faults: Fault[];
}

/**
 * Decides vendor by vendor by the variables that are set. Faults: a group that is set in part, and combinations that cannot work:
 * a real machine cannot be found under a name that only the sandbox knows, nor the other way round.
 */
export function chooseVendors(env: NodeJS.ProcessEnv): VendorChoice {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== '';
  const faults: Fault[] = [];
  const real: VendorName[] = [];
  for (const vendor of VENDORS) {
    const names: readonly string[] = VENDOR_VARIABLES[vendor];
    const missing = names.filter((name) => !isSet(name));
    if (missing.length === names.length) continue;
    real.push(vendor);
    for (const name of missing)
      faults.push({ name, message: `is not set, though the rest of ${vendor}'s variables are` });
  }
  const machines = real.filter((vendor) => vendor === 'contabo' || vendor === 'hostinger');
  const wanted = env['VPS_PROVIDER'] === 'hostinger' ? 'hostinger' : 'contabo';
  const boxesAreReal = machines.includes(wanted);
  if (boxesAreReal && !real.includes('cloudflare')) {
    const message = `is not set, and ${wanted} is the real one: its machines need a real name`;
    for (const name of VENDOR_VARIABLES.cloudflare) faults.push({ name, message });
  }
  if (!boxesAreReal && real.includes('cloudflare')) {
    const message = `is set, but ${wanted} is sandboxed: its machines have no address that real DNS could name`;
    faults.push({ name: 'CLOUDFLARE_API_TOKEN', message });
  }
  if (boxesAreReal) {
    for (const name of ['BASE_URL', 'BOX_DOMAIN'].filter((variable) => !isSet(variable))) {
      faults.push({
        name,
        message: `is not set, and ${wanted} is the real one: its machines call back from the internet`,
      });
    }
  }
  return { real, sandboxed: VENDORS.filter((vendor) => !real.includes(vendor)), faults };
}

/** Stand-ins for what the sandbox will say of `vendors`, good enough to check the rest of a configuration with. */
export function placeholderCredentials(vendors: readonly VendorName[]): Record<string, string> {
  const names = vendors.flatMap((vendor): readonly string[] => VENDOR_VARIABLES[vendor]);
  return Object.fromEntries(names.map((name) => [name, PLACEHOLDERS[name] ?? 'sandboxed']));
}
