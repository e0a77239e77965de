import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import type { Sandbox } from '../index.ts';
import {
  type Answer,
  type Call,
  FILES,
  makeFolder,
  makePostInstall,
  signInHostinger,
  startSandbox,
} from '../testing/fixtures.ts';

const DAY_MS = 86_400_000;
const VMS = '/api/vps/v1/virtual-machines';
const SCRIPTS = '/api/vps/v1/post-install-scripts';
const SUBSCRIPTIONS = '/api/billing/v1/subscriptions';
const ITEM = 'hostingercom-vps-kvm2-usd-1m';
const SETUP = { template_id: 1077, data_center_id: 19 };

interface Shown {
  id: number;
  subscription_id: string;
  hostname: string;
  state: string;
  actions_lock: string;
  ipv4: { address: string }[] | null;
  template: { id: number } | null;
}

describe('the Hostinger vendor', () => {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  beforeEach(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['hostinger'] });
    call = signInHostinger(sandbox);
  });
  afterEach(async () => {
    await sandbox.close();
    place.remove();
  });

  const buy = async (setup: object = SETUP): Promise<Shown> =>
    ((await call('POST', VMS, { item_id: ITEM, setup })).body as { virtual_machine: Shown }).virtual_machine;
  const get = async (id: number): Promise<Shown> => (await call('GET', `${VMS}/${id}`)).body as Shown;
  const list = async (): Promise<Shown[]> => (await call('GET', VMS)).body as Shown[];
  const untilRunning = (id: number): Promise<Shown> =>
    waitFor('the machine to run', async () => {
      const shown = await get(id);
      return shown.state === 'running' ? shown : undefined;
    });
  const faultsOf = ({ status, body }: Answer): [number, string[]] => [
    status,
    Object.keys((body as { errors: object }).errors),
  ];

  it('refuses a wrong key with a correlation id', async () => {
    const answer = await fetch(sandbox.urls['hostinger'] + VMS, { headers: { authorization: 'Bearer no' } });
    const body = (await answer.json()) as { correlation_id: string };
    expect(answer.status).to.equal(401);
    expect(body).to.deep.equal({ message: 'Unauthenticated', correlation_id: body.correlation_id });
    expect(body.correlation_id).to.match(/^[0-9a-f-]{36}$/);
  });

  it('names all faults of a purchase by field', async () => {
    const setup = {
      template_id: 1,
      data_center_id: 17,
      post_install_script_id: 9,
      password: 'short',
      hostname: 'no_dots',
      public_key: { key: 'x' },
    };
    const answer = await call('POST', VMS, { item_id: 'hostingercom-vps-kvm2', payment_method_id: 1, setup });
    expect(faultsOf(answer)).to.deep.equal([
      422,
      [
        'item_id',
        'payment_method_id',
        'setup.template_id',
        'setup.data_center_id',
        'setup.password',
        'setup.post_install_script_id',
        'setup.hostname',
        'setup.public_key.key',
      ],
    ]);
    expect((answer.body as { message: string }).message).to.match(
      /^The selected item id is invalid\. \(and \d+ more errors\)$/,
    );
    expect(
      faultsOf(await call('POST', VMS, { item_id: ITEM, setup: { ...SETUP, password: 'Password1234' } })),
    ).to.deep.equal([422, ['setup.password']]);
    expect(await list()).to.deep.equal([]);
  });

  it('creates a machine that is locked and has no address until it runs, then has run the script', async () => {
    sandbox.delays.provisioning_ms = 60_000;
    const script = (await call('POST', SCRIPTS, { name: 'box-1', content: makePostInstall() })).body as { id: number };
    const bought = await buy({ ...SETUP, post_install_script_id: script.id, hostname: 'box-1.spoq.localhost' });
    const pick = ({ hostname, state, actions_lock, ipv4, template }: Shown): object => ({
      hostname,
      state,
      actions_lock,
      ipv4: ipv4?.[0]?.address,
      template: template?.id,
    });
    expect(pick(bought)).to.deep.equal({
      hostname: 'box-1.spoq.localhost',
      state: 'creating',
      actions_lock: 'locked',
      ipv4: undefined,
      template: 1077,
    });
    expect((await call('POST', `${VMS}/${bought.id}/stop`)).status).to.equal(422);
    sandbox.clock.advance(60_000);
    expect(pick(await get(bought.id))).to.deep.equal({
      hostname: 'box-1.spoq.localhost',
      state: 'running',
      actions_lock: 'unlocked',
      ipv4: '198.51.100.10',
      template: 1077,
    });
    await waitFor('the conductor', () => sandbox.machines.findFront('198.51.100.10') ?? undefined);
    const [{ path, content }] = FILES;
    expect(readFileSync(join(sandbox.machines.list()[0]?.root ?? '', path), 'utf8')).to.equal(content);
  });

  it('limits a script to 48 KB', async () => {
    const content = '#'.repeat(48 * 1024);
    expect((await call('POST', SCRIPTS, { name: 'a', content })).status).to.equal(200);
    expect(faultsOf(await call('POST', SCRIPTS, { name: 'a', content: `${content}#` }))).to.deep.equal([
      422,
      ['content'],
    ]);
  });

  it('leaves a machine initial when the set-up fails, to be set up again', async () => {
    sandbox.faults.add({ vendor: 'hostinger', method: 'POST', path: 'virtual-machines$', becomes: 'initial' });
    const bought = await buy();
    expect(await get(bought.id)).to.deep.include({
      state: 'initial',
      ipv4: null,
      template: null,
      actions_lock: 'unlocked',
    });
    expect((await call('POST', `${VMS}/${bought.id}/recreate`, { template_id: 1077 })).status).to.equal(422);
    expect((await call('POST', `${VMS}/${bought.id}/setup`, SETUP)).status).to.equal(200);
    expect((await untilRunning(bought.id)).template?.id).to.equal(1077);
    expect((await call('POST', `${VMS}/${bought.id}/setup`, SETUP)).status).to.equal(422);
  });

  it('makes nothing while a payment is pending', async () => {
    sandbox.faults.add({
      vendor: 'hostinger',
      method: 'POST',
      path: 'virtual-machines$',
      becomes: 'payment_initiated',
    });
    const { status, body } = await call('POST', VMS, { item_id: ITEM, setup: SETUP });
    expect([status, (body as { order: { status: string } }).order.status]).to.deep.equal([202, 'payment_initiated']);
    expect([await list(), (await call('GET', SUBSCRIPTIONS)).body]).to.deep.equal([[], []]);
  });

  it('recreates without a script to an empty disk, through an action that can be followed', async () => {
    const script = (await call('POST', SCRIPTS, { name: 'box-1', content: makePostInstall() })).body as { id: number };
    const { id, ipv4 } = await untilRunning((await buy({ ...SETUP, post_install_script_id: script.id })).id);
    sandbox.delays.installing_ms = 60_000;
    const action = (await call('POST', `${VMS}/${id}/recreate`, { template_id: 1077 })).body as {
      id: number;
      state: string;
    };
    expect([action.state, (await get(id)).state]).to.deep.equal(['sent', 'recreating']);
    sandbox.clock.advance(60_000);
    expect(await untilRunning(id)).to.deep.include({ ipv4, actions_lock: 'unlocked' });
    expect((await call('GET', `${VMS}/${id}/actions/${action.id}`)).body).to.include({
      name: 'recreate',
      state: 'success',
    });
    await sandbox.machines.settled();
    expect(sandbox.machines.list()[0]?.console.at(-1)).to.include('a bare system');
  });

  it('goes on renewing until told not to, then ends with the period', async () => {
    const { id, subscription_id: subscription } = await buy();
    await untilRunning(id);
    sandbox.clock.advance(40 * DAY_MS);
    const [renewed] = (await call('GET', SUBSCRIPTIONS)).body as { expires_at: string; status: string }[];
    expect(renewed?.status).to.equal('active');
    expect(Date.parse(renewed?.expires_at ?? '')).to.be.greaterThan(sandbox.clock.now().getTime());
    const disabled = await call('DELETE', `${SUBSCRIPTIONS}/${subscription}/auto-renewal/disable`);
    expect(disabled.body).to.deep.include({
      status: 'not_renewing',
      is_auto_renewed: false,
      next_billing_at: null,
      expires_at: renewed?.expires_at,
    });
    expect((await get(id)).state).to.equal('running');
    sandbox.clock.advance(30 * DAY_MS);
    expect([await list(), (await call('GET', `${VMS}/${id}`)).status]).to.deep.equal([[], 404]);
    const [ended] = (await call('GET', SUBSCRIPTIONS)).body as { status: string }[];
    expect(ended?.status).to.equal('cancelled');
    expect(sandbox.machines.list()).to.deep.equal([]);
  });

  it('stops, starts and restarts', async () => {
    const { id } = await buy();
    await untilRunning(id);
    for (const [action, state] of [
      ['stop', 'stopped'],
      ['start', 'running'],
      ['restart', 'running'],
    ] as const) {
      expect((await call('POST', `${VMS}/${id}/${action}`)).body).to.include({ name: action, state: 'sent' });
      await waitFor(action, async () => (await get(id)).state === state);
    }
  });
});
