import { isProxiable } from './parse-record.ts';
import type { CloudflareState, DnsRecord } from './state.ts';

type Presented = Record<string, unknown>;

/** The envelope of a success. */
export function presentResult(result: unknown, info: Presented = {}): Presented {
  return { result, success: true, errors: [], messages: [], ...info };
}

/** A list's envelope with its page. `perPage` is the default of the list. */
export function presentPage<T>(
  items: T[],
  query: Record<string, string | string[] | undefined>,
  perPage: number,
  present: (item: T) => unknown,
): Presented {
  const size = Math.max(1, Number(query['per_page']) || perPage);
  const page = Math.max(1, Number(query['page']) || 1);
  const shown = items.slice((page - 1) * size, page * size).map(present);
  return presentResult(shown, {
    result_info: {
      page,
      per_page: size,
      count: shown.length,
      total_count: items.length,
      total_pages: Math.ceil(items.length / size),
    },
  });
}

/** A record in the shape of 2026: no zone_id, zone_name or locked any more. */
export function presentRecord(record: DnsRecord): Presented {
  const { id, name, type, content, proxied, ttl, settings, comment, tags, created_on, modified_on } = record;
  return {
    id,
    name,
    type,
    content,
    ...(record.priority === undefined ? {} : { priority: record.priority }),
    ...(record.private_routing === undefined ? {} : { private_routing: record.private_routing }),
    proxiable: isProxiable(type),
    proxied,
    ttl,
    settings,
    meta: {},
    comment,
    tags,
    created_on,
    modified_on,
    ...(record.comment_modified_on === undefined ? {} : { comment_modified_on: record.comment_modified_on }),
    ...(record.tags_modified_on === undefined ? {} : { tags_modified_on: record.tags_modified_on }),
  };
}

export function presentZone({ zone, account_id }: CloudflareState): Presented {
  return {
    id: zone.id,
    name: zone.name,
    status: 'active',
    paused: false,
    type: 'full',
    development_mode: 0,
    name_servers: ['ada.ns.cloudflare.com', 'bob.ns.cloudflare.com'],
    original_name_servers: null,
    original_registrar: null,
    original_dnshost: null,
    created_on: zone.created_on,
    modified_on: zone.created_on,
    activated_on: zone.created_on,
    vanity_name_servers: [],
    meta: { step: 2, custom_certificate_quota: 0, page_rule_quota: 3, phishing_detected: false },
    owner: { id: account_id, type: 'organization', name: 'Spoq sandbox' },
    account: { id: account_id, name: 'Spoq sandbox' },
  };
}
