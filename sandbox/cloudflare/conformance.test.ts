import { expect } from 'chai';
import { type Defect, hasSpec, loadSpec } from '../conformance.ts';
import type { Sandbox } from '../index.ts';
import { type Call, makeFolder, signInCloudflare, startSandbox } from '../testing/fixtures.ts';

const RECORD_DEFECTS: Defect[] = [
  { fault: /must have required property 'data'/, why: 'required in the record of 2026, though an A record has none' },
  {
    replace: { pointer: '#/components/schemas/dns-records_comment/type', value: ['string', 'null'] },
    why: 'typed a string, though a record without one has null',
  },
];

describe('Cloudflare against its documents', function () {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  before(async function () {
    if (!hasSpec('cloudflare-dns-2026.json')) this.skip(); // the documents lie beside the repository only where it is built
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['cloudflare'] });
    call = signInCloudflare(sandbox);
  });
  after(async () => {
    await sandbox?.close();
    place?.remove();
  });

  it('agrees with them in every operation that Spoq uses', async () => {
    const zone = `/zones/${sandbox.credentials['CLOUDFLARE_ZONE_ID']}`;
    await call('GET', '/user/tokens/verify');
    await call('GET', '/zones?name=spoq.localhost');
    await call('GET', zone);
    const record = {
      type: 'A',
      name: 'alice.spoq.localhost',
      content: '198.51.100.10',
      ttl: 60,
      proxied: false,
      comment: 'box-1',
    };
    const { result } = (await call('POST', `${zone}/dns_records`, record)).body as { result: { id: string } };
    const at = `${zone}/dns_records/${result.id}`;
    await call('POST', `${zone}/dns_records`, record); // 81058
    await call('GET', `${zone}/dns_records?type=A&name.exact=alice.spoq.localhost&page=1&per_page=5`);
    await call('GET', at);
    await call('PUT', at, { ...record, comment: undefined, tags: ['owner:spoq'] });
    await call('PATCH', at, { type: 'A', content: '198.51.100.11' });
    await call('DELETE', at);
    await call('DELETE', at); // 81044

    const records = loadSpec('cloudflare-dns-2026.json', RECORD_DEFECTS);
    const others = loadSpec('cloudflare.json');
    const entries = sandbox.requests.list();
    const faults = entries.flatMap((entry) => {
      const found = (entry.path.includes('dns_records') ? records : others).check(entry);
      return found.map((fault) => `${entry.method} ${entry.path} ${fault}`);
    });
    expect(faults).to.deep.equal([]);
    expect(entries.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200, 400, 200, 200, 200, 200, 200, 404]);
  });

  it('would notice a difference', () => {
    const [entry] = sandbox.requests.list().filter(({ method }) => method === 'POST');
    if (!entry) throw new Error('There is no request to look at');
    const wrong = {
      ...entry,
      request_body: '{"type":"A","content":"no"}',
      response_body: '{"success":true,"errors":[],"messages":[],"result":{"id":"x"}}',
    };
    const faults = loadSpec('cloudflare-dns-2026.json', RECORD_DEFECTS).check(wrong).join('\n');
    expect(faults).to.include('request/content: must match format "ipv4"');
    expect(faults).to.include("answer 200/result: must have required property 'proxiable'");
  });
});
