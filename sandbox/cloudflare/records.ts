import type { Clock } from '../clock.ts';
import { inventHex } from '../keys.ts';
import type { Store } from '../state.ts';
import { CloudflareError } from './errors.ts';
import type { RecordFields } from './parse-record.ts';
import type { CloudflareState, DnsRecord } from './state.ts';

/** The records of the zone, with the rules about which may stand beside which. */
export interface Records {
  list(): DnsRecord[];
  /** Throws 404 with 81044. */
  get(id: string): DnsRecord;
  create(fields: RecordFields): DnsRecord;
  replace(id: string, fields: RecordFields): DnsRecord;
  remove(id: string): void;
}

export function createRecords({ store, clock }: { store: Store<CloudflareState>; clock: Clock }): Records {
  const get = (id: string): DnsRecord => {
    const record = store.data.records.find((one) => one.id === id);
    if (!record) throw new CloudflareError(404, { code: 81_044, message: 'Record does not exist.' });
    return record;
  };
  const others = (id?: string): DnsRecord[] => store.data.records.filter((record) => record.id !== id);
  return {
    list: () => store.data.records,
    get,
    create(fields) {
      refuseConflict(fields, others());
      const at = clock.now().toISOString();
      const record: DnsRecord = {
        id: inventHex(32),
        ...fields,
        created_on: at,
        modified_on: at,
        ...(fields.comment === null ? {} : { comment_modified_on: at }),
        ...(fields.tags.length === 0 ? {} : { tags_modified_on: at }),
      };
      store.update((data) => data.records.push(record));
      return record;
    },
    replace(id, fields) {
      const record = get(id);
      refuseConflict(fields, others(id));
      const at = clock.now().toISOString();
      const commentAt = fields.comment === record.comment ? record.comment_modified_on : at;
      const tagsAt = String(fields.tags) === String(record.tags) ? record.tags_modified_on : at;
      const replaced: DnsRecord = {
        id,
        ...fields,
        created_on: record.created_on,
        modified_on: at,
        ...(fields.comment === null || commentAt === undefined ? {} : { comment_modified_on: commentAt }),
        ...(fields.tags.length === 0 || tagsAt === undefined ? {} : { tags_modified_on: tagsAt }),
      };
      store.update((data) => {
        data.records = data.records.map((one) => (one.id === id ? replaced : one));
      });
      return replaced;
    },
    remove(id) {
      get(id);
      store.update((data) => {
        data.records = others(id);
      });
    },
  };
}

/** No record twice, and no CNAME beside another address of the same name. */
function refuseConflict(fields: RecordFields, others: DnsRecord[]): void {
  const same = others.filter((record) => record.name === fields.name);
  if (same.some((record) => record.type === fields.type && record.content === fields.content)) {
    throw new CloudflareError(400, { code: 81_058, message: 'An identical record already exists.' });
  }
  if (fields.type === 'CNAME' && same.some((record) => ['A', 'AAAA', 'CNAME'].includes(record.type))) {
    const message = 'An A, AAAA, or CNAME record with that host already exists.';
    throw new CloudflareError(400, { code: 81_053, message });
  }
  if (['A', 'AAAA'].includes(fields.type) && same.some((record) => record.type === 'CNAME')) {
    throw new CloudflareError(400, { code: 81_054, message: 'A CNAME record with that host already exists.' });
  }
}
