import { expect } from 'chai';
import { hasSpec, loadSpec, type Defect } from '../conformance.ts';
import type { Sandbox } from '../index.ts';
import { type Call, makeFolder, makeUserData, signInContabo, startSandbox } from '../testing/fixtures.ts';
import { TOKEN_PATH } from './token.ts';

const DEFECTS: Defect[] = [
  { fault: /\/cancelDate: must be string/, why: 'required and not nullable, yet an uncancelled instance has no date' },
];

describe('Contabo against its document', function () {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  before(async function () {
    if (!hasSpec('contabo.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['contabo'] });
    call = await signInContabo(sandbox);
  });
  after(async () => {
    await sandbox?.close();
    place?.remove();
  });

  it('agrees with it in every operation that Spoq uses', async () => {
    const order = {
      period: 1,
      displayName: 'box-1',
      productId: 'V153',
      region: 'EU',
      defaultUser: 'admin',
      userData: makeUserData(),
    };
    const created = await call('POST', '/v1/compute/instances', order);
    const { data } = created.body as { data: { instanceId: number }[] };
    const at = `/v1/compute/instances/${data[0]?.instanceId}`;
    await call('GET', '/v1/compute/instances?displayName=box-1&page=1&size=10&orderBy=name:asc');
    await call('GET', at);
    await call('PATCH', at, { displayName: 'box-2' });
    for (const action of ['stop', 'start', 'restart', 'shutdown']) await call('POST', `${at}/actions/${action}`);
    await call('PUT', at, { imageId: 'd64d5c6c-9dda-4e38-8174-0ee282474d8a', defaultUser: 'root' });
    await call('POST', `${at}/cancel`, {});
    await call('GET', '/v1/compute/images?standardImage=true');
    await call('GET', '/v1/compute/images/d64d5c6c-9dda-4e38-8174-0ee282474d8a');
    await call('GET', '/v1/data-centers');
    const secret = await call('POST', '/v1/secrets', { name: 'key', type: 'ssh', value: 'ssh-ed25519 AAAA x' });
    const { secretId } = (secret.body as { data: { secretId: number }[] }).data[0] ?? {};
    await call('GET', '/v1/secrets');
    await call('GET', `/v1/secrets/${secretId}`);
    await call('DELETE', `/v1/secrets/${secretId}`);

    const spec = loadSpec('contabo.json', DEFECTS);
    const authSpec = loadSpec('contabo-auth.json');
    const entries = sandbox.requests.list({ vendor: 'contabo' });
    const faults = entries.flatMap((entry) => {
      const found = (entry.path === TOKEN_PATH ? authSpec : spec).check(entry);
      return found.map((fault) => `${entry.method} ${entry.path} ${fault}`);
    });
    expect(faults).to.deep.equal([]);
    expect(entries.map(({ status }) => status)).to.deep.equal([
      200, 201, 200, 200, 200, 201, 201, 201, 201, 200, 201, 200, 200, 200, 201, 200, 200, 204,
    ]);
  });

  it('would notice a difference', () => {
    const spec = loadSpec('contabo.json');
    const [entry] = sandbox.requests.list({ vendor: 'contabo' }).filter(({ path }) => path === '/v1/compute/instances');
    if (!entry) throw new Error('There is no request to look at');
    const wrong = {
      ...entry,
      request_body: '{"productId":7,"perioD":1}',
      request_headers: { 'content-type': 'application/json' },
      response_body: '{"data":[{}]}',
    };
    const faults = spec.check(wrong).join('\n');
    expect(faults).to.include('header x-request-id: is missing').and.to.include("must have required property 'period'");
    expect(faults).to.include('request/productId: must be string').and.to.include('request/perioD: is not declared');
    expect(faults).to.include("answer 201: must have required property '_links'");
    expect(faults).to.include("answer 201/data/0: must have required property 'instanceId'");
  });
});
