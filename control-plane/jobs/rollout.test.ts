import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { planWaves } from '../commands/plan-waves.ts';
import { planRollout, startRollout } from '../commands/start-rollout.ts';
import { stopRollout } from '../commands/stop-rollout.ts';
import { findLastRollout, listRolloutBoxes } from '../db/rollouts.ts';
import type { BoxSpec, EngineOptions } from '../engine/engine.ts';
import { createJwtSecret } from '../jwt-secret.ts';
import { hashCrypt, sealPasswordCrypt } from '../password/hash.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { QUEUES } from './queues.ts';
import { rescueRollout } from './rescue-rollout.ts';

const VERSION = '1.2.0';
const REQUEST = { version: VERSION, sizes: ['1', '10%', '50%'], maxFailures: 1 };

describe('a rollout', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  let crypt: string;
  before(async () => {
    world = await createBoxWorld();
    crypt = hashCrypt('correct-horse-9!');
  });
  after(() => world.close());
  beforeEach(async () => {
    const { db } = world.database;
    await db('rollouts').delete();
    await db('user_vps').delete();
    await db('pgboss.job').delete();
    world.engine.script.converge = undefined;
    world.engine.calls.length = 0;
  });

  /** Boxes whose host names begin with b1, b2, … in the order in which they were made. */
  async function createBoxes(number: number, status = 'ready'): Promise<string[]> {
    const { db } = world.database;
    const { cipher } = world.cp.deps;
    const ids: string[] = [];
    for (let index = 0; index < number; index += 1) {
      const [id, user_id] = [randomUUID(), randomUUID()];
      await db('users').insert({ id: user_id, github_id: user_id, username: `b${index + 1}` });
      await db('user_vps').insert({
        id,
        user_id,
        provider: 'contabo',
        hostname: `b${index + 1}-${status}.spoq.localhost`,
        region: 'EU',
        plan: 'basic',
        status,
        ssh_password_hash: 'argon2',
        ssh_password_crypt: sealPasswordCrypt(cipher, user_id, crypt),
        jwt_secret: createJwtSecret(cipher, id),
        created_at: new Date(Date.UTC(2026, 0, index + 1)),
      });
      ids.push(id);
    }
    return ids;
  }

  const start = (changes: Partial<typeof REQUEST> = {}) => startRollout(world.cp.deps, { ...REQUEST, ...changes });
  async function view() {
    const rollout = await findLastRollout(world.database.db);
    const boxes = rollout ? await listRolloutBoxes(world.database.db, rollout.id) : [];
    return {
      state: rollout?.state,
      boxes: boxes.map(({ wave, state }) => `${wave} ${state}`),
      reasons: boxes.flatMap(({ reason }) => (reason === null ? [] : [reason])),
    };
  }
  const untilEnded = () => waitFor('the end', async () => (await view()).state !== 'running');
  const audit = async () =>
    (await world.database.db('audit_log').orderBy('id').select('actor', 'action')).map(
      ({ actor, action }) => `${actor} ${action}`,
    );
  const nameOf = (spec: BoxSpec) => spec.hostname.split('-')[0];
  /** The engine upgrades whom it is let; `seen` are those whose upgrade has begun. */
  function script(act: (name: string, options: EngineOptions) => Promise<void> | void) {
    const seen: string[] = [];
    world.engine.script.converge = async (spec, options) => {
      expect(spec.releases).to.deep.include({ version: VERSION });
      expect(spec.releases.base_url).to.match(/\/releases\/1\.2\.0$/);
      seen.push(nameOf(spec) ?? '');
      await act(nameOf(spec) ?? '', options);
    };
    return seen;
  }
  const fail = (detail: string, code: 'engine_failed' | 'box_unreachable' | 'stack_busy' = 'engine_failed'): never => {
    throw new SpoqError(code, { detail });
  };

  it('reaches every box, wave after wave, and is written down', async () => {
    const ids = await createBoxes(12);
    await createBoxes(2, 'failed');
    await world.database.db('user_vps').where('id', String(ids[11])).update({ release_version: VERSION });
    const plan = await planRollout(world.cp.deps, REQUEST);
    expect(plan).to.deep.equal({ version: VERSION, max_failures: 1, waves: [1, 1, 4, 5], upgraded: 1, not_ready: 2 });
    let atWork = 0;
    const most: Record<string, number> = {};
    script(async (name) => {
      atWork += 1;
      most[name] = atWork;
      await new Promise((resolve) => setImmediate(resolve));
      atWork -= 1;
    });
    const worker = await world.work();
    await start();
    await untilEnded();
    expect(await view()).to.deep.equal({
      state: 'done',
      boxes: ['1 done', '2 done', ...Array(4).fill('3 done'), ...Array(5).fill('4 done')],
      reasons: [],
    });
    expect([most['b1'], most['b2']], 'the first two had it to themselves').to.deep.equal([1, 1]);
    const versions = await world.database.db('user_vps').where('status', 'ready').distinct('release_version');
    expect(versions).to.deep.equal([{ release_version: VERSION }]);
    const rows = await audit();
    expect(rows[0]).to.equal('operator rollout.started');
    expect(rows.at(-1)).to.equal('system box.upgraded');
    expect(rows.filter((row) => row === 'system box.upgraded')).to.have.length(11);
    expect(rows).to.include('system rollout.done');
    await start();
    expect(await view(), 'nothing is left to do').to.deep.equal({ state: 'done', boxes: [], reasons: [] });
    await worker.stop();
  });

  it('stops at the first box that fails, and touches no other', async () => {
    const ids = await createBoxes(10);
    const seen = script(() => fail('It was taken back.'));
    const worker = await world.work();
    await start();
    await untilEnded();
    expect(await view()).to.deep.equal({
      state: 'failed',
      boxes: ['1 failed', ...Array(4).fill('2 waiting'), ...Array(5).fill('3 waiting')],
      reasons: ['It was taken back.'],
    });
    expect(seen).to.deep.equal(['b1']);
    const box = await world.database.db('user_vps').where('id', String(ids[0])).first();
    expect([box.status, box.release_version], 'it is a box as before').to.deep.equal(['ready', null]);
    expect(await audit()).to.include.members(['system box.upgrade_failed', 'system rollout.failed']);
    await worker.stop();
  });

  it('bears as many failures as it was told, also within a wave', async () => {
    await createBoxes(9);
    const seen = script((name) => void (['b2', 'b3', 'b4'].includes(name) && fail('No.')));
    const worker = await world.work();
    await start({ sizes: ['1'], maxFailures: 2 });
    await untilEnded();
    await waitFor('those at work to finish', async () => !(await view()).boxes.some((box) => box.endsWith('running')));
    const { state, boxes } = await view();
    expect(state).to.equal('failed');
    expect(boxes.filter((box) => box.endsWith('failed')).length).to.be.within(2, 3);
    expect(boxes.filter((box) => box.endsWith('waiting')).length, 'who had not begun did not begin').to.be.above(0);
    expect(seen).not.to.include('b9');
    await worker.stop();
  });

  it('passes over whom it cannot reach, and lets others stand in where a wave has shown nothing', async () => {
    const ids = await createBoxes(10);
    const seen = script((name) => {
      if (name === 'b1') fail('Not reached.', 'box_unreachable');
      if (name === 'b2') fail('Busy.', 'stack_busy');
    });
    await start();
    // It became something else after the start.
    await world.database.db('user_vps').where('id', String(ids[2])).update({ status: 'terminated' });
    await world.database.db('user_vps').where('id', String(ids[3])).update({ operation: 'rebuild' });
    const worker = await world.work();
    await untilEnded();
    const { state, boxes, reasons } = await view();
    expect(state).to.equal('done');
    const passed = Array.from({ length: 4 }, () => '1 passed_over');
    expect(boxes.slice(0, 5)).to.deep.equal([...passed, '1 done']);
    expect(reasons).to.deep.equal(['Not reached.', 'Busy.', 'It is terminated.', 'A rebuild of it is going on.']);
    expect(seen).not.to.include('b3').and.not.include('b4');
    await worker.stop();
  });

  it('stops when it is told: who is at work finishes, nobody else begins', async () => {
    await createBoxes(5);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const seen = script(() => held);
    const worker = await world.work();
    await start();
    await waitFor('the first box to be at work', () => seen.length === 1);
    await stopRollout(world.cp.deps);
    const refused = await start().catch((error: SpoqError) => [error.code, error.detail]);
    expect(refused).to.deep.equal(['conflict', 'The last rollout is stopped, but 1 of its boxes are still at work.']);
    release();
    await waitFor('it to finish', async () => (await view()).boxes[0] === '1 done');
    expect((await view()).boxes.slice(1)).to.deep.equal(['2 waiting', '2 waiting', '3 waiting', '3 waiting']);
    const twice = await stopRollout(world.cp.deps).catch((error: SpoqError) => error.code);
    expect(twice).to.equal('conflict');
    world.engine.script.converge = undefined;
    await start();
    await untilEnded();
    expect((await view()).boxes, 'a new one takes up who was left').to.have.length(4);
    await worker.stop();
  });

  it('goes on when the worker ends in the middle, and after failures that nobody foresaw', async () => {
    await createBoxes(3);
    let first = true;
    const seen = script(async (name, { signal, takeOver }) => {
      expect(takeOver).to.equal(true);
      if (name === 'b1' && first) {
        first = false;
        await new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new SpoqError('cancelled')), { once: true });
        });
      }
      if (name === 'b2' && seen.filter((one) => one === 'b2').length === 1) throw new Error('the engine was killed');
    });
    const one = await world.work();
    await start();
    await waitFor('the first box to be at work', () => seen.length === 1);
    await one.stop();
    expect(await view()).to.deep.include({ state: 'running', boxes: ['1 running', '2 waiting', '3 waiting'] });
    const other = await world.work();
    await untilEnded();
    expect((await view()).boxes).to.deep.equal(['1 done', '2 done', '3 done']);
    expect(seen).to.deep.equal(['b1', 'b1', 'b2', 'b2', 'b3']);
    await other.stop();
  });

  it('counts a box as failed when no attempt comes to an end, and finds one that no job works on', async () => {
    await createBoxes(2);
    script(() => {
      throw new Error('broken');
    });
    await start({ maxFailures: 2 });
    await world.database.db('pgboss.job').where('name', QUEUES.converge).delete();
    await rescueRollout(world.cp.deps);
    expect(await world.database.db('pgboss.job').where('name', QUEUES.converge)).to.have.length(1);
    await rescueRollout(world.cp.deps);
    expect(await world.database.db('pgboss.job').where('name', QUEUES.converge)).to.have.length(1);
    await world.database.db('pgboss.job').update({ retry_limit: 0 });
    const worker = await world.work();
    await waitFor('the first to be given up', async () => (await view()).boxes[0] === '1 failed');
    expect((await view()).reasons[0]).to.match(/^Something broke on our side/);
    await worker.stop();
  });

  it('lets a run that has lost its box write nothing', async () => {
    const [id] = await createBoxes(1);
    const seen = script(async () => {
      if (seen.length > 1) return;
      await world.database.db('user_vps').where('id', String(id)).increment('fence', 1);
    });
    const worker = await world.work();
    await start();
    await untilEnded();
    expect(seen, 'the next run did it').to.deep.equal(['b1', 'b1']);
    expect((await view()).boxes).to.deep.equal(['1 done']);
    await worker.stop();
  });

  it('is refused where machines have no SSH server, and while another is going on', async () => {
    await createBoxes(1);
    const config = { ...world.cp.deps.config, BOX_CONVERGE: 'none' as const };
    const none = await planRollout({ ...world.cp.deps, config }, REQUEST).catch((error: SpoqError) => error.code);
    expect(none).to.equal('conflict');
    await start();
    const second = await start().catch((error: SpoqError) => error.detail);
    expect(second).to.equal('The rollout of 1.2.0 is going on.');
  });
});

describe('sizes of waves', () => {
  for (const [sizes, boxes, waves] of [
    [['1', '10%', '50%'], 10, [1, 4, 5]],
    [['1', '10%', '50%'], 100, [1, 9, 40, 50]],
    [['1', '10%', '50%'], 1, [1]],
    [['1', '10%', '50%'], 0, []],
    [['100%'], 7, [7]],
    [['5', '2', '50'], 20, [5, 15]],
    [[' 34% '], 3, [2, 1]],
  ] as const)
    it(`${sizes.join(',')} of ${boxes} are ${waves.join(', ') || 'none'}`, () => {
      expect(planWaves(sizes, boxes)).to.deep.equal(waves);
    });
  for (const size of ['', '0', '-1', '101%', '1.5', 'all', '%'])
    it(`${JSON.stringify(size)} is none`, () => {
      expect(() => planWaves([size], 10)).to.throw('is no size of a wave');
    });
});
