import type { DnsRecord } from './state.ts';

type Query = Record<string, string | string[] | undefined>;

/** How a filter's suffix compares, on lower case. */
const COMPARISONS: Record<string, (value: string, wanted: string) => boolean> = {
  exact: (value, wanted) => value === wanted,
  contains: (value, wanted) => value.includes(wanted),
  startswith: (value, wanted) => value.startsWith(wanted),
  endswith: (value, wanted) => value.endsWith(wanted),
};

/** The records that a list's query asks for, in its order. Parameters that are no filter are ignored. */
export function filterRecords(records: readonly DnsRecord[], query: Query): DnsRecord[] {
  const tests = Object.entries(query).flatMap(([key, wanted]) => createTest(key, String(wanted)) ?? []);
  const isAny = query['match'] === 'any';
  const found = records.filter((record) =>
    tests.length === 0 ? true : isAny ? tests.some((test) => test(record)) : tests.every((test) => test(record)),
  );
  const order = String(query['order'] ?? 'type');
  const sign = query['direction'] === 'desc' ? -1 : 1;
  return found.toSorted((a, b) => sign * compare(pick(a, order), pick(b, order)));
}

function createTest(key: string, wanted: string): ((record: DnsRecord) => boolean) | undefined {
  const [field = '', suffix] = key.split('.');
  if (field === 'type' && suffix === undefined) return (record) => record.type === wanted.toUpperCase();
  if (field === 'proxied' && suffix === undefined) return (record) => String(record.proxied) === wanted;
  if (field === 'search' && suffix === undefined) {
    return (record) => `${record.name} ${record.content} ${record.comment ?? ''}`.includes(wanted);
  }
  if (field === 'comment' && suffix === 'present') return (record) => record.comment !== null;
  if (field === 'comment' && suffix === 'absent') return (record) => record.comment === null;
  if (field === 'tag') return createTagTest(suffix, wanted);
  const compareText = COMPARISONS[suffix ?? 'exact'];
  if (!compareText || !['name', 'content', 'comment'].includes(field)) return undefined;
  return (record) => compareText(pick(record, field).toLowerCase(), wanted.toLowerCase());
}

/** `tag=name:value`, `tag.present=name`, `tag.absent=name`, `tag.contains=name:part` and so on. */
function createTagTest(suffix: string | undefined, wanted: string): ((record: DnsRecord) => boolean) | undefined {
  const [name = '', ...rest] = wanted.split(':');
  const values = (record: DnsRecord): string[] =>
    record.tags.filter((tag) => tag.split(':')[0] === name).map((tag) => tag.split(':').slice(1).join(':'));
  if (suffix === 'present') return (record) => values(record).length > 0;
  if (suffix === 'absent') return (record) => values(record).length === 0;
  const compareText = COMPARISONS[suffix ?? 'exact'];
  return compareText && ((record) => values(record).some((value) => compareText(value, rest.join(':'))));
}

function pick(record: DnsRecord, field: string): string {
  if (field === 'name') return record.name;
  if (field === 'content') return record.content;
  if (field === 'comment') return record.comment ?? '';
  if (field === 'ttl') return String(record.ttl).padStart(6, '0');
  if (field === 'proxied') return String(record.proxied);
  return record.type;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
