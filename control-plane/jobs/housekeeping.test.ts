import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import type { VendorMachine } from '../engine/engine.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { expireRecords } from './expire.ts';
import { QUEUES, sendBoxJob } from './queues.ts';
import { reconcileMachines } from './reconcile-machines.ts';
import { refreshGauges } from './refresh-gauges.ts';

describe('housekeeping', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());
  const db = () => world.database.db;
  const reconcile = () =>
    reconcileMachines(
      { ...world.cp.deps, engine: world.engine, buildSpec: () => expect.fail('nothing is made here') },
      new AbortController().signal,
    );
  const machine = (fields: Partial<VendorMachine>): VendorMachine => ({
    provider: 'contabo',
    provider_instance_id: '1',
    name: 'somebody-elses',
    region: 'EU',
    product: 'V153',
    state: 'running',
    ip_address: '192.0.2.1',
    ends_at: null,
    ...fields,
  });

  it('destroys a box for good, and lets its person have another', async () => {
    const worker = await world.work();
    const { browser, userId } = await world.becomeReady('alice');
    await browser.post('/api/vps/provision', { region: 'EU' });
    const box = await world.waitForBox(userId, (one) => one['status'] === 'ready');
    const id = String(box['id']);
    const send = () =>
      db().transaction((tx) => sendBoxJob(world.cp.deps.boss, tx, QUEUES.destroy, { id, user_id: userId }));
    await Promise.all([send(), send(), send()]);
    await waitFor(
      'the box to be gone',
      async () => (await db()('user_vps').where({ id }).first()).status === 'terminated',
    );
    expect(world.engine.calls.filter((call) => call === `destroy box-${id}`)).to.have.length(1);
    const [released] = await db()('machines').where('user_vps_id', id);
    expect([released.status, released.ends_at.toISOString()]).to.deep.equal(['released', '2030-01-01T00:00:00.000Z']);
    expect((await browser.get('/setup')).location).to.equal('/setup/region');
    await browser.post('/api/vps/provision', { region: 'EU' });
    const next = await waitFor('another box', () =>
      db()('user_vps').where({ user_id: userId, status: 'ready' }).first(),
    );
    // It is the same person's name, so it need not rest.
    expect([next.hostname, next.id === id]).to.deep.equal(['alice.spoq.localhost', false]);
    await worker.stop();
  });

  it("does not give a terminated box's name to somebody else for 30 days", async () => {
    const { browser: other, userId } = await world.becomeReady('Alice');
    await db()('user_vps')
      .where('hostname', 'alice.spoq.localhost')
      .update({ status: 'terminated', terminated_at: new Date() });
    await other.post('/api/vps/provision', { region: 'EU' });
    expect((await db()('user_vps').where('user_id', userId).first()).hostname).to.equal('alice-2.spoq.localhost');
    world.cp.advance(31 * 86_400);
    const { browser: late, userId: lateId } = await world.becomeReady('ALICE');
    await late.post('/api/vps/provision', { region: 'EU' });
    expect((await db()('user_vps').where('user_id', lateId).first()).hostname).to.equal('alice.spoq.localhost');
    world.cp.advance(-31 * 86_400);
  });

  it('compares what the vendor bills for with what is written down', async () => {
    await db()('machines').delete();
    const now = new Date();
    const base = { provider: 'contabo', region: 'EU', product: 'V153', created_at: now };
    const [lost, kept, old] = [randomUUID(), randomUUID(), randomUUID()].map((id) => `box-${id}`);
    await db()('machines').insert([
      { ...base, name: lost, provider_instance_id: '10', status: 'released' },
      { ...base, name: kept, provider_instance_id: '11', status: 'released' },
      { ...base, name: 'box-young', status: 'intended' },
      { ...base, name: old, status: 'intended', created_at: new Date(now.getTime() - 2 * 3_600_000) },
      { ...base, name: `box-${randomUUID()}`, status: 'intended', created_at: new Date(0) },
      { ...base, name: 'box-elsewhere', provider: 'hostinger', provider_instance_id: '12', status: 'owned' },
    ]);
    const stranger = `box-${randomUUID()}`;
    world.engine.machines.splice(
      0,
      Infinity,
      machine({ provider_instance_id: '11', name: 'released-11', ends_at: '2026-12-01T00:00:00.000Z' }),
      machine({ provider_instance_id: '13', name: old ?? '' }),
      machine({ provider_instance_id: '14', name: stranger }),
      machine({ provider_instance_id: '15', name: 'released 15', ends_at: '2026-12-02T00:00:00.000Z' }),
      machine({ provider_instance_id: '16' }),
    );
    const before = world.cp.logs.length;
    for (let round = 0; round < 2; round += 1) await reconcile();
    const rows = await db()('machines').orderBy('provider_instance_id').orderBy('status');
    expect(
      rows.map((row) => [
        row.provider_instance_id,
        row.status,
        row.ends_at?.toISOString() ?? null,
        row.ended_at !== null,
      ]),
    ).to.deep.equal([
      ['10', 'ended', null, true],
      ['11', 'released', '2026-12-01T00:00:00.000Z', false],
      ['12', 'owned', null, false],
      ['13', 'made', null, false],
      ['14', 'made', null, false],
      ['15', 'released', '2026-12-02T00:00:00.000Z', false],
      [null, 'ended', null, true],
      [null, 'intended', null, false],
    ]);
    const told = world.cp.logs.slice(before).filter((line) => line.includes('nobody wrote down'));
    expect(told).to.have.length(2);
    await refreshGauges(world.cp.deps);
    const metrics = await world.cp.deps.metrics.registry.metrics();
    expect(metrics).to.contain('spoq_machines{provider="contabo",status="made"} 2');
    expect(metrics).to.match(/spoq_boxes\{status="failed"\} 0/);
  });

  it('reports a machine that a box runs on and the vendor no longer has', async () => {
    await db()('machines').delete();
    world.engine.machines.splice(0);
    await db()('machines').insert({
      provider: 'contabo',
      region: 'EU',
      product: 'V153',
      name: `box-${randomUUID()}`,
      provider_instance_id: '20',
      status: 'owned',
    });
    const before = world.cp.logs.length;
    await reconcile();
    expect((await db()('machines').first()).status).to.equal('ended');
    expect(world.cp.logs.slice(before).join()).to.contain('gone from its vendor');
  });

  it('takes no machine for gone, or for unknown, that was made while the vendor was being asked', async () => {
    await db()('machines').delete();
    const young = machine({ provider_instance_id: '30', name: `box-${randomUUID()}` });
    const listed = machine({ provider_instance_id: '31', name: `box-${randomUUID()}` });
    const { inventory } = world.engine;
    world.engine.machines.splice(0, Infinity, listed);
    try {
      world.engine.inventory = async (provider) => {
        const seen = await inventory(provider);
        if (provider !== 'contabo') return seen;
        const base = { provider, region: 'EU', product: 'V153', status: 'owned' };
        for (const { name, provider_instance_id } of [young, listed])
          await db()('machines').insert({ ...base, name, provider_instance_id });
        return seen;
      };
      await reconcile();
    } finally {
      world.engine.inventory = inventory;
    }
    const rows = await db()('machines').orderBy('provider_instance_id');
    expect(rows.map((row) => [row.provider_instance_id, row.status])).to.deep.equal([
      ['30', 'owned'],
      ['31', 'owned'],
    ]);
  });

  it('counts a machine again that the vendor had left out of its list for a while', async () => {
    await db()('machines').delete();
    const names = [randomUUID(), randomUUID()].map((id) => `box-${id}`);
    const listed = [
      machine({ provider_instance_id: '40', name: names[0] ?? '' }),
      machine({ provider_instance_id: '41', name: 'released-41', ends_at: '2026-12-01T00:00:00.000Z' }),
    ];
    const base = { provider: 'contabo', region: 'EU', product: 'V153' };
    await db()('machines').insert([
      { ...base, name: names[0], provider_instance_id: '40', status: 'owned' },
      { ...base, name: names[1], provider_instance_id: '41', status: 'released' },
    ]);
    world.engine.machines.splice(0);
    await reconcile();
    world.engine.machines.push(...listed);
    for (let round = 0; round < 2; round += 1) await reconcile();
    const rows = await db()('machines').orderBy('provider_instance_id');
    expect(rows.map((row) => [row.provider_instance_id, row.name, row.status, row.ended_at])).to.deep.equal([
      ['40', names[0], 'made', null],
      ['41', names[1], 'released', null],
    ]);
  });

  it('forgets what has run out and nothing else', async () => {
    const { browser, userId } = await world.becomeReady('bob');
    const open = await world.pay();
    const [past, future] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)];
    for (const [id_hash, expires_at] of [
      ['old', past],
      ['young', future],
    ])
      await db()('sessions').insert({ id_hash, expires_at });
    const checkout = { session_hash: 'x', plan: 'basic' };
    await db()('checkouts').insert({ ...checkout, created_at: new Date(Date.now() - 49 * 3_600_000) });
    await expireRecords(world.cp.deps);
    const sessions = (await db()('sessions').whereIn('id_hash', ['old', 'young'])).map((row) => row.id_hash);
    expect(sessions).to.deep.equal(['young']);
    expect((await db()('checkouts').where('session_hash', 'x').first()).status).to.equal('expired');
    expect((await db()('checkouts').where('stripe_session_id', open.sessionId).first()).status).to.equal('open');
    expect((await db()('checkouts').where('user_id', userId).first()).status).to.equal('bound');
    expect((await browser.get('/setup')).location).to.equal('/setup/region');
  });
});
