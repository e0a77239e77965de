import type { ProviderName } from '../../contract/vps.ts';
import { releaseInstance } from '../../stacks/provider/instance.ts';
import { isMachineOf } from '../../stacks/machine-name.ts';
import type { Vendor, VendorInstance } from '../../stacks/vendors/vendor.ts';
import type { EngineOptions, VendorMachine } from './engine.ts';

export interface StrayOptions {
  vendor: Vendor;
  stack: string;
  /** Only the one machine of this name; every one of the stack's when left out. */
  name?: string;
  /** Machines that the stack's state knew of. */
  seen: readonly string[];
  pollMs: number;
  deadlineMs: number;
  options: EngineOptions;
}

/** Hostinger's machines have host names; a machine given up belongs to no domain of ours. */
const NO_DOMAIN = 'invalid';

/** Gives up every machine of the stack that is left at this vendor, and answers all that were given up with their ends. */
export async function releaseStrays({
  vendor,
  stack,
  name,
  seen,
  pollMs,
  deadlineMs,
  options,
}: StrayOptions): Promise<VendorMachine[]> {
  const { signal = new AbortController().signal, onEvent } = options;
  const report = (message: string): void => onEvent?.({ step: 'machine', state: 'progress', message });
  const isOurs = (one: VendorInstance): boolean =>
    name === undefined ? isMachineOf(stack, one.name) : one.name === name;
  const strays = (await vendor.list({ signal })).filter((one) => isOurs(one) && one.endsAt === null);
  for (const { id } of strays)
    await releaseInstance({ vendor, pollMs, deadlineMs, signal, report }, { id, domain: NO_DOMAIN });
  // Also where there was never a machine: the script of an order that was refused holds keys and the password's hash.
  await vendor.tidy(name ?? stack, { signal });
  const ids = new Set([...seen, ...strays.map(({ id }) => id)]);
  const machines = await vendor.list({ signal });
  return machines.filter((one) => ids.has(one.id) || isOurs(one)).map((one) => presentMachine(vendor.provider, one));
}

export function presentMachine(provider: ProviderName, one: VendorInstance): VendorMachine {
  const { id, name, region, product, state, ipAddress, endsAt } = one;
  return { provider, provider_instance_id: id, name, region, product, state, ip_address: ipAddress, ends_at: endsAt };
}
