import type { ProviderName } from '../../contract/vps.ts';

/** `ready`: runs and has an address; `working`: may get there by itself; `broken`: will not. */
export type Phase = 'ready' | 'working' | 'broken';

/** One instance as a vendor tells it, in the same words for both vendors. */
export interface VendorInstance {
  id: string;
  /** The stack it was made for; `released-<id>` once it has been given up; anything else is not ours. */
  name: string;
  phase: Phase;
  /** The vendor's own word for its state. Both say `stopped` of one that is switched off. */
  state: string;
  /** Why it is broken, in the vendor's words. */
  reason?: string;
  ipAddress: string | null;
  /** It has run, so its disk may hold something of a customer. Not so while it is being installed. */
  mayHoldData: boolean;
  region: string;
  product: string;
  /** When it ends because its renewal was ended; null while it renews. */
  endsAt: string | null;
}

export interface InstanceOrder {
  /** The stack's name: how the instance is found again, whatever happens. */
  name: string;
  /** The domain of boxes; Hostinger's only name of a machine is its host name. */
  domain: string;
  region: string;
  product: string;
  image?: string;
  /** cloud-config for Contabo, a post-install script for Hostinger. Secret. */
  userData: string;
}

export interface CallOptions {
  signal?: AbortSignal;
}

/** What Spoq asks of a vendor. Every function may be repeated, except `buy`: it is sent once, and throws VendorError. */
export interface Vendor {
  provider: ProviderName;
  /** The vendor's name as people know it. */
  label: string;
  /** Every instance with exactly this name whose renewal goes on: one that ends has been given up, whatever its name. */
  find(name: string, options?: CallOptions): Promise<VendorInstance[]>;
  /** Undefined when the vendor no longer has it. */
  get(id: string, options?: CallOptions): Promise<VendorInstance | undefined>;
  list(options?: CallOptions): Promise<VendorInstance[]>;
  /** Buys one. Answers its id, or undefined when it was ordered but is not there yet. */
  buy(order: InstanceOrder, options?: CallOptions): Promise<string | undefined>;
  /** Sets up a machine that was bought but not set up. False when there is nothing to do. */
  finish(id: string, order: InstanceOrder, options?: CallOptions): Promise<boolean>;
  /** Removes what was only needed while it was being made (a script with secrets at the vendor). */
  tidy(name: string, options?: CallOptions): Promise<void>;
  rename(id: string, name: string, domain: string, options?: CallOptions): Promise<void>;
  /** Starts it again; one that is off is switched on. */
  restart(id: string, options?: CallOptions): Promise<void>;
  /** Switches it off, with everything on its disk kept. One that is off already is fine. */
  stop(id: string, options?: CallOptions): Promise<void>;
  /** Starts to install it anew from the order's user data, on the same address. Everything on its disk is lost. */
  reinstall(id: string, order: InstanceOrder, options?: CallOptions): Promise<void>;
  /** Starts to replace the disk with a fresh system that knows nothing of the customer. */
  wipe(id: string, options?: CallOptions): Promise<void>;
  /** Ends the renewal; the machine stays until the paid period is over. */
  endRenewal(id: string, options?: CallOptions): Promise<void>;
}

/** The name of a machine that was given up. No stack has it. */
export function releasedName(id: string): string {
  return `released-${id}`;
}
