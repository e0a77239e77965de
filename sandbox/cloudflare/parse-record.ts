import { isIPv4, isIPv6 } from 'node:net';
import { CloudflareError, type Reason } from './errors.ts';
import type { DnsRecord } from './state.ts';

/** The types without a `data` object: those that Spoq's zones hold. */
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'TXT'];
const PROXIABLE = ['A', 'AAAA', 'CNAME'];
const LABEL = /^(\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)$/;

export type RecordFields = Pick<
  DnsRecord,
  'type' | 'name' | 'content' | 'ttl' | 'proxied' | 'settings' | 'comment' | 'tags'
> &
  Partial<Pick<DnsRecord, 'priority' | 'private_routing'>>;

export function isProxiable(type: string): boolean {
  return PROXIABLE.includes(type);
}

/** Reads a record for a create or an overwrite, or, with `base`, a change of that one. All faults at once, as 400. */
export function parseRecord(body: unknown, zoneName: string, base?: RecordFields): RecordFields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new CloudflareError(400, { code: 9207, message: 'Request body is invalid.' });
  }
  const given = body as Record<string, unknown>;
  const read = <K extends keyof RecordFields>(field: K, fallback: RecordFields[K] | undefined): unknown =>
    given[field] ?? (given[field] === null && field === 'comment' ? null : (base?.[field] ?? fallback));
  const reasons: Reason[] = [];
  const refuse = (code: number, message: string, pointer: string): void => {
    reasons.push({ code, message, pointer });
  };

  const type = String(read('type', 'A'));
  if (!TYPES.includes(type)) refuse(9000, `DNS record type "${type}" is invalid.`, '/type');
  const name = completeName(read('name', undefined), zoneName);
  if (name === undefined) refuse(9000, 'DNS name is invalid.', '/name');
  const content = read('content', undefined);
  if (typeof content !== 'string' || content === '') refuse(9020, 'DNS record content is required.', '/content');
  else checkContent(type, content, name, refuse);
  const ttl = read('ttl', 1);
  if (typeof ttl !== 'number' || !(ttl === 1 || (ttl >= 60 && ttl <= 86_400))) {
    refuse(9021, 'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.', '/ttl');
  }
  const proxied = read('proxied', false);
  if (typeof proxied !== 'boolean') refuse(9207, 'proxied must be a boolean.', '/proxied');
  else if (proxied && !isProxiable(type)) refuse(9004, 'This record type cannot be proxied.', '/proxied');
  const comment = read('comment', null);
  if (comment !== null && typeof comment !== 'string') refuse(9207, 'comment must be a string.', '/comment');
  const tags = read('tags', []);
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string' && /^[\w-]+(:.*)?$/.test(tag))) {
    refuse(9207, 'tags must be strings of the form name:value.', '/tags');
  }
  const settings = read('settings', {});
  const priority = read('priority', undefined);
  if (type === 'MX' && typeof priority !== 'number') refuse(9025, 'priority is a required field.', '/priority');
  if (reasons.length > 0) throw new CloudflareError(400, ...reasons);

  const isAddress = type === 'A' || type === 'AAAA';
  return {
    type,
    name: name ?? '',
    content: String(content),
    // A proxied record's TTL is automatic, whatever was asked.
    ttl: proxied ? 1 : Number(ttl),
    proxied: Boolean(proxied),
    settings: typeof settings === 'object' && settings !== null ? { ...settings } : {},
    comment: typeof comment === 'string' && comment !== '' ? comment : null,
    tags: Array.isArray(tags) ? tags.map(String) : [],
    ...(typeof priority === 'number' ? { priority } : {}),
    ...(isAddress && read('private_routing', undefined) === true ? { private_routing: true } : {}),
  };
}

/** The complete name: `@` and names without the zone get it appended, as the service does. */
function completeName(name: unknown, zoneName: string): string | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  const lower = name.toLowerCase().replace(/\.$/, '');
  if (lower === '@' || lower === zoneName) return zoneName;
  const complete = lower.endsWith(`.${zoneName}`) ? lower : `${lower}.${zoneName}`;
  return complete.length <= 253 && complete.split('.').every((label) => LABEL.test(label)) ? complete : undefined;
}

function checkContent(
  type: string,
  content: string,
  name: string | undefined,
  refuse: (code: number, message: string, pointer: string) => void,
): void {
  if (type === 'A' && !isIPv4(content)) refuse(9005, 'Content for A record must be a valid IPv4 address.', '/content');
  if (type === 'AAAA' && !isIPv6(content)) {
    refuse(9006, 'Content for AAAA record must be a valid IPv6 address.', '/content');
  }
  if (type === 'CNAME' && content === name) {
    refuse(9039, 'CNAME content cannot reference itself.', '/content');
  }
}
