import { expect } from 'chai';
import { waitFor } from '../test/harness/wait.ts';
import { createContabo } from '../stacks/vendors/contabo.ts';
import { createHostinger } from '../stacks/vendors/hostinger.ts';
import type { Vendor } from '../stacks/vendors/vendor.ts';
import { type Defect, hasSpec, loadSpec, type Spec } from './conformance.ts';
import type { Sandbox } from './index.ts';
import { makeFolder, makePostInstall, makeUserData, startSandbox } from './testing/fixtures.ts';
import type { VendorName } from './vendor.ts';

const CANCEL_DATE: Defect = {
  fault: /\/cancelDate: must be string/,
  why: 'required and not nullable, yet an uncancelled instance has no date',
};
const GONE: Defect = {
  fault: /^answer (404|422): is not declared/,
  why: 'undeclared: what a machine that is gone answers, and a second cancel',
};
const BOX = { name: 'box-8f919ddc', domain: 'spoq.localhost' };
const DAY_MS = 86_400_000;

/** Everything that Spoq's provider asks of a vendor, in the order of a box's life. */
async function liveThrough(vendor: Vendor, sandbox: Sandbox, order: Parameters<Vendor['buy']>[0]): Promise<void> {
  expect(await vendor.find(order.name)).to.deep.equal([]);
  const id = await vendor.buy(order);
  if (id === undefined) throw new Error('Nothing was bought');
  const ready = await waitFor('the machine', async () => {
    const instance = await vendor.get(id);
    return instance?.phase === 'ready' ? instance : undefined;
  });
  expect(ready).to.include({ id, name: order.name, ipAddress: '198.51.100.10', endsAt: null });
  await waitFor('the conductor', () => sandbox.machines.findFront('198.51.100.10') ?? undefined);
  await vendor.restart(id);
  await waitFor('the restarted machine', async () => (await vendor.get(id))?.phase === 'ready');
  await vendor.reinstall(id, order);
  expect(
    await waitFor('the machine that was installed anew', async () => {
      const instance = await vendor.get(id);
      return instance?.phase === 'ready' ? instance : undefined;
    }),
  ).to.deep.equal(ready);
  await waitFor('its conductor', () => sandbox.machines.findFront('198.51.100.10') ?? undefined);
  await vendor.tidy(order.name);
  await vendor.wipe(id);
  await waitFor('the wiped machine', async () => (await vendor.get(id))?.phase === 'ready');
  await vendor.rename(id, `released-${id}`, order.domain);
  await vendor.endRenewal(id);
  await vendor.endRenewal(id); // a repetition is harmless
  const [ending] = await vendor.list();
  expect(ending).to.include({ id, name: `released-${id}` });
  expect(Date.parse(ending?.endsAt ?? '')).to.be.greaterThan(Date.now());
  expect(await vendor.find(order.name)).to.deep.equal([]);
}

describe('what Spoq asks of the vendors of machines', function () {
  this.timeout(60_000); // starts processes, perhaps on a busy computer
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  beforeEach(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder);
  });
  afterEach(async () => {
    await sandbox.close();
    place.remove();
  });

  const listFaults = (name: VendorName, specOf: (path: string) => Spec): string[] =>
    sandbox.requests.list({ vendor: name }).flatMap((entry) => {
      const faults = specOf(entry.path).check(entry);
      return faults.map((fault) => `${entry.method} ${entry.path} ${fault}`);
    });

  it('agrees with Contabo and its document', async function () {
    if (!hasSpec('contabo.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    const { credentials: of } = sandbox;
    const vendor = createContabo({
      apiUrl: of['CONTABO_API_URL'] ?? '',
      authUrl: of['CONTABO_AUTH_URL'] ?? '',
      clientId: of['CONTABO_CLIENT_ID'] ?? '',
      clientSecret: of['CONTABO_CLIENT_SECRET'] ?? '',
      user: of['CONTABO_API_USER'] ?? '',
      password: of['CONTABO_API_PASSWORD'] ?? '',
      backoffMs: 1,
    });
    await liveThrough(vendor, sandbox, { ...BOX, region: 'EU', product: 'V153', userData: makeUserData() });
    sandbox.clock.advance(200_000); // less than a token lives
    expect(await vendor.get('1')).to.equal(undefined);
    const specs = [loadSpec('contabo-auth.json'), loadSpec('contabo.json', [CANCEL_DATE, GONE])] as const;
    expect(listFaults('contabo', (path) => specs[path.startsWith('/auth') ? 0 : 1])).to.deep.equal([]);
  });

  it('agrees with Hostinger and its document', async function () {
    if (!hasSpec('hostinger.json')) this.skip(); // as above
    const { credentials: of } = sandbox;
    const vendor = createHostinger({
      apiUrl: of['HOSTINGER_API_URL'] ?? '',
      apiKey: of['HOSTINGER_API_KEY'] ?? '',
      paymentMethodId: Number(of['HOSTINGER_PAYMENT_METHOD_ID']),
      backoffMs: 1,
    });
    const [region, product] = ['19', 'hostingercom-vps-kvm2-usd-1m'];
    await liveThrough(vendor, sandbox, { ...BOX, region, product, userData: makePostInstall() });
    sandbox.clock.advance(40 * DAY_MS);
    expect(await vendor.list()).to.deep.equal([]);
    const spec = loadSpec('hostinger.json', [GONE]);
    expect(listFaults('hostinger', () => spec)).to.deep.equal([]);
  });
});
