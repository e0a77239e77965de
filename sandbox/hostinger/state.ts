import { inventKey } from '../keys.ts';

export type VmState = 'creating' | 'initial' | 'running' | 'starting' | 'stopping' | 'stopped' | 'recreating' | 'error';

export interface VirtualMachine {
  id: number;
  subscription_id: string;
  price_item_id: string;
  hostname: string;
  state: VmState;
  data_center_id: number;
  /** null until it is set up. */
  template_id: number | null;
  ns1: string;
  ns2: string;
  created_at: string;
  ipv4: string;
  /** When the address shows first, in ms since the epoch; absent before it ever ran. */
  address_at?: number;
  /** What comes next by itself. Nothing can be asked of the machine until then: it is locked. */
  next?: { state: VmState; at: number; action_id?: number };
  /** The script that the coming installation runs. */
  post_install_script_id?: number;
  public_key_ids: number[];
}

export interface Action {
  id: number;
  virtual_machine_id: number;
  name: string;
  state: 'created' | 'sent' | 'success';
  created_at: string;
  updated_at: string;
}

export interface Subscription {
  id: string;
  price_item_id: string;
  status: 'active' | 'not_renewing' | 'cancelled';
  created_at: string;
  expires_at: string;
}

export interface Script {
  id: number;
  name: string;
  content: string;
  created_at: string;
  updated_at: string;
}

export interface PublicKey {
  id: number;
  name: string;
  key: string;
}

export interface HostingerState {
  api_key: string;
  /** The last number given to anything. */
  last_id: number;
  payment_method_id: number;
  opened_at: string;
  machines: VirtualMachine[];
  actions: Action[];
  subscriptions: Subscription[];
  scripts: Script[];
  keys: PublicKey[];
}

/** An account with a card and no machines. */
export function createHostingerState(now: Date): HostingerState {
  return {
    api_key: inventKey('', 48),
    last_id: 1_000_000,
    payment_method_id: 1_327_362,
    opened_at: now.toISOString(),
    machines: [],
    actions: [],
    subscriptions: [],
    scripts: [],
    keys: [],
  };
}

/** The next number for a thing. */
export function takeId(state: HostingerState): number {
  state.last_id += 1;
  return state.last_id;
}
