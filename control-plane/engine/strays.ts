import type { ProviderName } from '../../contract/vps.ts';
import { releaseInstance } from '../../stacks/provider/instance.ts';
import type { Vendor, VendorInstance } from '../../stacks/vendors/vendor.ts';
import type { EngineOptions, VendorMachine } from './engine.ts';

export interface StrayOptions {
  vendor: Vendor;
  /** The stack's name. */
  name: string;
  /** Machines that the stack's state knew of. */
  seen: readonly string[];
  pollMs: number;
  deadlineMs: number;
  options: EngineOptions;
}

/** Hostinger's machines have host names; a machine given up belongs to no domain of ours. */
const NO_DOMAIN = 'invalid';

/** Gives up every machine of this name that is left, and answers all that were given up with their ends. */
export async function releaseStrays({
  vendor,
  name,
  seen,
  pollMs,
  deadlineMs,
  options,
}: StrayOptions): Promise<VendorMachine[]> {
  const { signal = new AbortController().signal, onEvent } = options;
  const report = (message: string): void => onEvent?.({ step: 'machine', state: 'progress', message });
  const strays = await vendor.find(name, { signal });
  for (const { id } of strays)
    await releaseInstance({ vendor, pollMs, deadlineMs, signal, report }, { id, domain: NO_DOMAIN });
  // Also where there was never a machine: the script of an order that was refused holds keys and the password's hash.
  await vendor.tidy(name, { signal });
  const ids = new Set([...seen, ...strays.map(({ id }) => id)]);
  const machines = await vendor.list({ signal });
  return machines
    .filter((one) => ids.has(one.id) || one.name === name)
    .map((one) => presentMachine(vendor.provider, one));
}

export function presentMachine(provider: ProviderName, one: VendorInstance): VendorMachine {
  const { id, name, region, product, state, ipAddress, endsAt } = one;
  return { provider, provider_instance_id: id, name, region, product, state, ip_address: ipAddress, ends_at: endsAt };
}
