import { inventKey } from '../keys.ts';

/** The states that a sandbox instance can be in; the document lists more. */
export type InstanceStatus =
  | 'provisioning'
  | 'installing'
  | 'running'
  | 'stopped'
  | 'error'
  | 'manual_provisioning'
  | 'product_not_available'
  | 'verification_required'
  | 'pending_payment';

/** What a fault's `becomes` may name for an order. */
export const FAILED_STATUSES: readonly InstanceStatus[] = [
  'error',
  'manual_provisioning',
  'product_not_available',
  'verification_required',
  'pending_payment',
];

export interface Instance {
  id: number;
  display_name: string;
  product_id: string;
  image_id: string;
  region: string;
  period_months: number;
  default_user: string;
  ssh_keys: number[];
  status: InstanceStatus;
  error_message?: string;
  created_at: string;
  ipv4: string;
  /** When the address shows first, in ms since the epoch; absent before it ever ran. */
  address_at?: number;
  /** What comes next by itself, in ms since the epoch. */
  next?: { status: InstanceStatus; at: number };
  /** The first boot's document until the installation took it; then forgotten, since it carries secrets. */
  user_data?: string;
  /** Set by a cancel: when the instance disappears. */
  ends_at?: string;
}

export interface Secret {
  id: number;
  name: string;
  type: 'ssh' | 'password';
  value: string;
  created_at: string;
}

export interface ContaboState {
  client_id: string;
  client_secret: string;
  api_user: string;
  api_password: string;
  /** Signs the sandbox's tokens. */
  token_key: string;
  last_instance: number;
  last_secret: number;
  instances: Instance[];
  secrets: Secret[];
}

/** An account without machines. */
export function createContaboState(): ContaboState {
  return {
    client_id: inventKey('INT-', 8),
    client_secret: inventKey('', 32),
    api_user: 'sandbox@spoq.localhost',
    api_password: inventKey('', 20),
    token_key: inventKey('', 40),
    last_instance: 200_000_100,
    last_secret: 100,
    instances: [],
    secrets: [],
  };
}
