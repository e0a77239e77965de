import { expect } from 'chai';
import { type Defect, hasSpec, loadSpec } from '../conformance.ts';
import type { Sandbox } from '../index.ts';
import { type Call, makeFolder, makePostInstall, signInHostinger, startSandbox } from '../testing/fixtures.ts';

const DEFECTS: Defect[] = [
  {
    fault: /^answer (202|404): is not declared/,
    why: 'seen on the service: 202 while a payment is pending; 404 for what is gone',
  },
];

describe('Hostinger against its document', function () {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  before(async function () {
    if (!hasSpec('hostinger.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['hostinger'] });
    call = signInHostinger(sandbox);
  });
  after(async () => {
    await sandbox?.close();
    place?.remove();
  });

  it('agrees with it in every operation that Spoq uses', async () => {
    await call('GET', '/api/billing/v1/catalog?category=VPS');
    await call('GET', '/api/billing/v1/payment-methods');
    await call('GET', '/api/vps/v1/data-centers');
    await call('GET', '/api/vps/v1/templates');
    await call('GET', '/api/vps/v1/templates/1077');
    const content = makePostInstall();
    const script = (await call('POST', '/api/vps/v1/post-install-scripts', { name: 'box-1', content })).body as {
      id: number;
    };
    await call('GET', '/api/vps/v1/post-install-scripts?page=1');
    await call('GET', `/api/vps/v1/post-install-scripts/${script.id}`);
    await call('PUT', `/api/vps/v1/post-install-scripts/${script.id}`, { name: 'box-1', content });
    const setup = {
      template_id: 1077,
      data_center_id: 19,
      post_install_script_id: script.id,
      hostname: 'box-1.spoq.localhost',
    };
    sandbox.faults.add({ vendor: 'hostinger', method: 'POST', path: 'virtual-machines$', becomes: 'initial' });
    const item_id = 'hostingercom-vps-kvm2-usd-1m';
    const bought = await call('POST', '/api/vps/v1/virtual-machines', { item_id, setup });
    const { virtual_machine: vm } = bought.body as { virtual_machine: { id: number; subscription_id: string } };
    const at = `/api/vps/v1/virtual-machines/${vm.id}`;
    await call('GET', at); // initial
    await call('POST', `${at}/setup`, setup);
    await call('GET', at); // running
    await call('GET', '/api/vps/v1/virtual-machines');
    for (const action of ['stop', 'start', 'restart']) await call('POST', `${at}/${action}`);
    await call('PUT', `${at}/hostname`, { hostname: 'box-2.spoq.localhost' });
    await call('POST', `${at}/recreate`, { template_id: 1077, password: 'Correct4Horse!' });
    const actions = (await call('GET', `${at}/actions?page=1`)).body as { data: { id: number }[] };
    await call('GET', `${at}/actions/${actions.data[0]?.id}`);
    const key = (await call('POST', '/api/vps/v1/public-keys', { name: 'stack', key: 'ssh-ed25519 AAAA stack' }))
      .body as { id: number };
    await call('GET', '/api/vps/v1/public-keys?page=1');
    await call('POST', `/api/vps/v1/public-keys/attach/${vm.id}`, { ids: [key.id] });
    await call('GET', `${at}/public-keys?page=1`);
    await call('DELETE', `/api/vps/v1/public-keys/${key.id}`);
    await call('GET', '/api/billing/v1/subscriptions');
    await call('DELETE', `/api/billing/v1/subscriptions/${vm.subscription_id}/auto-renewal/disable`);
    await call('PATCH', `/api/billing/v1/subscriptions/${vm.subscription_id}/auto-renewal/enable`);
    await call('DELETE', `/api/vps/v1/post-install-scripts/${script.id}`);

    const entries = sandbox.requests.list();
    expect(entries.map(({ status }) => status)).to.deep.equal(Array.from(entries, () => 200));
    await call('POST', '/api/vps/v1/virtual-machines', { item_id: 'none', setup: {} });
    await call('POST', '/api/vps/v1/post-install-scripts', { name: '', content: '' });
    await call('GET', '/api/vps/v1/virtual-machines/1');
    sandbox.faults.add({ vendor: 'hostinger', becomes: 'payment_initiated' });
    await call('POST', '/api/vps/v1/virtual-machines', { item_id, setup: { template_id: 1077, data_center_id: 19 } });
    const spec = loadSpec('hostinger.json', DEFECTS);
    const faults = sandbox.requests
      .list()
      .flatMap((entry) => spec.check(entry).map((fault) => `${entry.method} ${entry.path} ${fault}`));
    expect(faults).to.deep.equal([]);
    expect(
      sandbox.requests
        .list()
        .slice(-4)
        .map(({ status }) => status),
    ).to.deep.equal([422, 422, 404, 202]);
  });

  it('would notice a difference', () => {
    const [entry] = sandbox.requests.list().filter(({ path }) => path === '/api/vps/v1/virtual-machines');
    if (!entry) throw new Error('There is no request to look at');
    const wrong = {
      ...entry,
      request_body: '{"setup":{}}',
      response_body: '{"virtual_machine":{"state":"up","ipv4":7}}',
    };
    const faults = loadSpec('hostinger.json').check(wrong).join('\n');
    expect(faults).to.include("request: must have required property 'item_id'");
    expect(faults).to.include("request/setup: must have required property 'template_id'");
    expect(faults).to.include('answer 200/virtual_machine/state: must be equal to one of the allowed values');
    expect(faults).to.include('answer 200/virtual_machine/ipv4: must be array');
  });
});
