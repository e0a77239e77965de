import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { takeFence } from '../db/user-vps.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { makeBox } from '../testing/scripted-engine.ts';
import { QUEUES, type BoxJob } from './queues.ts';
import { rescueBoxes } from './rescue-boxes.ts';

type Row = Record<string, unknown>;

describe('jobs of boxes', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());
  afterEach(() => {
    world.engine.script = { up: [(spec, options) => makeBox(spec, options, world.engine.machines)] };
  });

  const isStatus = (status: string) => (box: Row) => box['status'] === status;
  const rowsOf = (table: string, boxId: unknown): Promise<Row[]> =>
    world.database.db(table).where('user_vps_id', String(boxId));
  const eventsOf = async (boxId: unknown) =>
    (await world.database.db('vps_events').where('user_vps_id', String(boxId)).orderBy('seq')).map(
      (row) => `${row.seq} ${row.step} ${row.state}: ${row.message}`,
    );
  const machinesOf = async (boxId: unknown) =>
    (await rowsOf('machines', boxId)).map(({ status, provider_instance_id, product, ends_at }) => ({
      status,
      id: provider_instance_id,
      product,
      ends: ends_at instanceof Date,
    }));
  const jobsOf = async (boxId: unknown): Promise<string[]> => {
    const jobs = await world.cp.deps.boss.findJobs(QUEUES.provision, { key: String(boxId) });
    return jobs.map((job) => job.state);
  };
  async function ask(login: string, form: Record<string, string> = { region: 'EU' }) {
    const person = await world.becomeReady(login);
    const answer = await person.browser.post('/api/vps/provision', form);
    expect([answer.status, answer.location]).to.deep.equal([303, '/setup']);
    return person;
  }

  it('makes a box, tells each step once and owns its machine', async () => {
    const worker = await world.work();
    const { userId } = await ask('alice');
    const box = await world.waitForBox(userId, isStatus('ready'));
    expect({ ...box, id: '', user_id: '', created_at: '', ready_at: '' }).to.deep.include({
      provider: 'contabo',
      hostname: 'alice.spoq.localhost',
      ip_address: '127.0.1.7',
      region: 'EU',
      plan: 'basic',
      fence: '1',
      failure: null,
      ssh_host_key_fingerprint: 'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG',
    });
    expect(await eventsOf(box['id'])).to.deep.equal([
      '1 queued started: Your box is next.',
      '2 queued done: A worker has begun.',
      '3 keys started: Making keys.',
      '4 keys done: Keys are made.',
      '5 machine started: Asking for a machine.',
      '6 machine done: It runs.',
      '7 address done: It is alice.spoq.localhost.',
      '8 box done: It answers.',
      '9 ready done: Your box is ready.',
    ]);
    expect(await machinesOf(box['id'])).to.deep.equal([
      { status: 'owned', id: box['provider_instance_id'], product: 'V153', ends: false },
    ]);
    await waitFor('the job to be settled', async () => (await jobsOf(box['id'])).join() === 'completed');
    await worker.stop();
  });

  it('makes one box of twenty requests at once', async () => {
    const { browser, userId } = await world.becomeReady('bob');
    const headers = { accept: 'application/json' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        browser.postJson('/api/vps/provision', { region: index % 2 === 0 ? 'EU' : 'UK' }, headers),
      ),
    );
    expect(new Set(answers.map((one) => `${one.status} ${one.location}`))).to.deep.equal(
      new Set(['202 /api/vps/status']),
    );
    const ids = new Set(answers.map((one) => (JSON.parse(one.text) as { id: string }).id));
    expect(ids.size).to.equal(1);
    const boxes = await world.database.db('user_vps').where('user_id', userId);
    expect(boxes.length).to.equal(1);
    expect(await eventsOf(boxes[0].id)).to.deep.equal(['1 queued started: Your box is next.']);
    expect(await jobsOf(boxes[0].id)).to.deep.equal(['created']);
    const worker = await world.work();
    await world.waitForBox(userId, isStatus('ready'));
    await worker.stop();
  });

  it('ends failed with the reason and nothing left, and is tried again when asked', async () => {
    const worker = await world.work();
    const { machines, calls, script } = world.engine;
    script.up.unshift(async (spec, options) => {
      await makeBox(spec, options, machines);
      throw new SpoqError('engine_failed', { detail: 'Cloudflare refused the name.' });
    });
    const { browser, userId } = await ask('carol');
    const failed = await world.waitForBox(userId, isStatus('failed'));
    const stack = `box-${String(failed['id'])}`;
    expect(failed).to.deep.include({ failure: 'Cloudflare refused the name.', ip_address: null, fence: '1' });
    expect(calls.filter((call) => call.endsWith(stack))).to.deep.equal([`up ${stack}`, `destroy ${stack}`]);
    expect((await eventsOf(failed['id'])).at(-1)).to.equal('9 box failed: Cloudflare refused the name.');
    const [released] = await machinesOf(failed['id']);
    expect(released).to.deep.include({ status: 'released', ends: true });
    const page = await browser.get('/setup/progress');
    expect(page.text).to.contain('Cloudflare refused the name.').and.contain('Try again');
    expect(page.text).to.contain("nobody is charged for a box that isn't there. Nothing more is collected");

    // The same request again changes nothing; only a retry does.
    await browser.post('/api/vps/provision', { region: 'EU' });
    expect(await jobsOf(failed['id'])).to.deep.equal(['completed']);
    await browser.post('/api/vps/provision', { region: 'UK', retry: 'true' });
    const ready = await world.waitForBox(userId, isStatus('ready'));
    expect(ready).to.deep.include({ id: failed['id'], hostname: failed['hostname'], region: 'UK', failure: null });
    expect((await machinesOf(failed['id'])).map(({ status }) => status).sort()).to.deep.equal(['owned', 'released']);
    await worker.stop();
  });

  it('tries again by itself after a failure that nobody foresaw', async () => {
    const worker = await world.work();
    world.engine.script.up.unshift(async () => {
      throw new TypeError('cannot read properties of undefined, with a secret in it');
    });
    const { userId } = await ask('dora');
    const box = await world.waitForBox(userId, isStatus('ready'));
    const events = await eventsOf(box['id']);
    expect(events).to.include('3 queued progress: Something broke on our side. We are trying again by ourselves.');
    expect(events.join()).not.to.contain('secret');
    expect(box['fence']).to.equal('2');
    await worker.stop();
  });

  it('hands its job to the next worker when it is asked to end', async () => {
    const first = await world.work();
    let begun = false;
    world.engine.script.up.unshift(
      (_spec, { signal }) =>
        new Promise((_resolve, reject) => {
          begun = true;
          signal?.addEventListener('abort', () => reject(new SpoqError('cancelled')), { once: true });
        }),
    );
    const { userId } = await ask('erin');
    await waitFor('the run to begin', () => begun);
    await first.stop();
    const box = await world.waitForBox(userId, isStatus('provisioning'));
    expect(await jobsOf(box['id'])).to.deep.equal(['retry']);
    const second = await world.work();
    expect(await world.waitForBox(userId, isStatus('ready'))).to.deep.include({ id: box['id'], fence: '2' });
    await second.stop();
  });

  it("takes over a dead worker's job within a minute", async () => {
    const { userId } = await ask('faye');
    const [job] = await world.cp.deps.boss.fetch<BoxJob>(QUEUES.provision);
    expect(job?.data).to.deep.equal({
      user_vps_id: (await world.waitForBox(userId, isStatus('pending')))['id'],
    });
    const began = Date.now();
    const worker = await world.work();
    await world.waitForBox(userId, isStatus('ready'));
    expect(Date.now() - began).to.be.below(30_000);
    await worker.stop();
  });

  it('lets a run that has lost its lease write nothing more', async () => {
    const worker = await world.work();
    let rival: Row | undefined;
    world.engine.script.up.unshift(
      (spec, { onEvent, signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new SpoqError('cancelled')), { once: true });
          const id = spec.stack.slice('box-'.length);
          void takeFence(world.cp.deps.db, id, ['provisioning'], 'provisioning').then((row) => {
            rival = row as unknown as Row;
            onEvent?.({ step: 'machine', state: 'started', message: 'Written by a run that has lost.' });
          });
        }),
    );
    const { userId } = await ask('gina');
    const box = await world.waitForBox(userId, isStatus('ready'));
    expect(rival).to.deep.include({ id: box['id'], fence: '2' });
    expect(box['fence']).to.equal('3');
    expect((await eventsOf(box['id'])).join()).not.to.contain('has lost');
    await worker.stop();
  });

  it('goes on taking down what an earlier run had given up', async () => {
    const worker = await world.work();
    const { script, calls } = world.engine;
    script.up.unshift(async () => {
      throw new SpoqError('engine_failed', { detail: 'No machine to be had.' });
    });
    let broken = true;
    script.destroy = async () => {
      if (!broken) return;
      broken = false;
      throw new Error('the vendor is away');
    };
    const { userId } = await ask('hank');
    const box = await world.waitForBox(userId, isStatus('failed'));
    const stack = `box-${String(box['id'])}`;
    expect(calls.filter((call) => call.endsWith(stack))).to.deep.equal([
      `up ${stack}`,
      `destroy ${stack}`,
      `destroy ${stack}`,
    ]);
    expect(await machinesOf(box['id'])).to.deep.equal([{ status: 'ended', id: null, product: 'V153', ends: false }]);
    await worker.stop();
  });

  it('gives up in the end, takes everything down and says so', async () => {
    const { userId } = await ask('iris');
    const box = await world.waitForBox(userId, isStatus('pending'));
    // As if every attempt had been used up.
    await world.database.db.raw(`UPDATE pgboss.job SET retry_limit = 0 WHERE singleton_key = ?`, [String(box['id'])]);
    world.engine.script.up.unshift(async () => {
      throw new Error('broken');
    });
    const worker = await world.work();
    const failed = await world.waitForBox(userId, isStatus('failed'));
    expect(failed['failure']).to.match(/^Something broke on our side/);
    await worker.stop();
  });

  it('finds a box that no job works on any more, and leaves alone those that have one', async () => {
    const { userId } = await ask('judy');
    const left = await world.waitForBox(userId, isStatus('pending'));
    const { userId: otherId } = await ask('kate');
    const queued = await world.waitForBox(otherId, isStatus('pending'));
    // As after a vendor's outage that outlasted every attempt, the last resort's too.
    await world.database
      .db('user_vps')
      .where('id', String(left['id']))
      .update({ status: 'provisioning', failure: 'No machine to be had.' });
    await world.database.db.raw(`UPDATE pgboss.job SET state = 'failed' WHERE singleton_key = ?`, [String(left['id'])]);
    for (let round = 0; round < 2; round += 1) await rescueBoxes(world.cp.deps);
    expect(await jobsOf(left['id'])).to.deep.equal(['failed', 'created']);
    expect(await jobsOf(queued['id'])).to.deep.equal(['created']);
    const worker = await world.work();
    expect(await world.waitForBox(userId, isStatus('failed'))).to.deep.include({ failure: 'No machine to be had.' });
    await world.waitForBox(otherId, isStatus('ready'));
    await rescueBoxes(world.cp.deps);
    expect(await jobsOf(left['id'])).to.deep.equal(['failed', 'completed']);
    await worker.stop();
  });
});
