import { inventHex, inventKey } from '../keys.ts';

export interface DnsRecord {
  id: string;
  type: string;
  name: string;
  content: string;
  ttl: number;
  proxied: boolean;
  priority?: number;
  private_routing?: boolean;
  settings: Record<string, unknown>;
  comment: string | null;
  tags: string[];
  created_on: string;
  modified_on: string;
  comment_modified_on?: string;
  tags_modified_on?: string;
}

export interface Zone {
  id: string;
  name: string;
  created_on: string;
}

export interface CloudflareState {
  api_token: string;
  token_id: string;
  account_id: string;
  zone: Zone;
  records: DnsRecord[];
}

/** An account with one zone and no records. */
export function createCloudflareState(zoneName: string, now: Date): CloudflareState {
  return {
    api_token: inventKey('', 40),
    token_id: inventHex(32),
    account_id: inventHex(32),
    zone: { id: inventHex(32), name: zoneName, created_on: now.toISOString() },
    records: [],
  };
}
