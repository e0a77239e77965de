import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import type { OperationName } from '../../contract/vps.ts';
import { BOOT_REPORTS_PATH } from '../../contract/boot.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { setPassword } from '../commands/set-password.ts';
import { findUser } from '../db/users.ts';
import { beginOperation } from '../commands/begin-operation.ts';
import type { BoxSpec } from '../engine/engine.ts';
import { buildBoxSpec } from '../engine/box-spec.ts';
import { takeFence } from '../db/user-vps.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { makeBox } from '../testing/scripted-engine.ts';
import { QUEUES, sendBoxJob, type BoxJob } from './queues.ts';
import { rescueBoxes } from './rescue-boxes.ts';

type Row = Record<string, unknown>;

describe('operations on boxes', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());
  afterEach(async () => {
    await world.stopWorkers();
    world.engine.script = { up: [(spec, options) => makeBox(spec, options, world.engine.machines)] };
    world.engine.calls.length = 0;
  });

  /** Somebody with a box that is ready, and no worker. */
  async function haveBox(login: string): Promise<{ id: string; user_id: string; stack: string }> {
    const { userId, browser } = await world.becomeReady(login);
    await browser.post('/api/vps/provision', { region: 'EU' });
    const worker = await world.work();
    const { id } = await world.waitForBox(userId, (box) => box['status'] === 'ready');
    await waitFor('every job to be done', async () => (await jobsOf(id, 'bill')).join() === 'completed');
    await worker.stop();
    world.engine.calls.length = 0;
    return { id: String(id), user_id: userId, stack: `box-${String(id)}` };
  }
  const ask = (box: { id: string; user_id: string }, operation: OperationName = 'restart') =>
    beginOperation(world.cp.deps, box, { operation, actor: `user:${box.user_id}`, ip: '127.0.0.1' });
  const rowOf = (id: string): Promise<Row> => world.database.db('user_vps').where({ id }).first();
  const stateOf = async (id: string) => {
    const { status, operation, operation_number, operation_failure } = await rowOf(id);
    return [status, operation, operation_number, operation_failure];
  };
  const ended = (id: string) =>
    waitFor('the operation to end', async () => {
      const row = await rowOf(id);
      return row['operation'] === null || row['operation_failure'] !== null;
    });
  const jobsOf = async (id: unknown, queue: keyof typeof QUEUES = 'operate'): Promise<string[]> =>
    (await world.cp.deps.boss.findJobs(QUEUES[queue], { key: String(id) })).map((job) => job.state);
  const eventsOf = async (id: string) =>
    (await world.database.db('vps_events').where('user_vps_id', id).orderBy('seq')).map(
      ({ step, state, message }) => `${step} ${state}: ${message}`,
    );
  const auditOf = async (userId: string) =>
    (
      await world.database.db('audit_log').where('user_id', userId).where('action', 'like', 'box.re%').orderBy('id')
    ).map(({ actor, action, detail }) => `${actor.split(':')[0]} ${action} ${detail.number ?? ''}`.trim());

  it('restarts a box: progress, machine and money stay as they were', async () => {
    const box = await haveBox('alice');
    const before = await rowOf(box.id);
    await ask(box);
    expect(await stateOf(box.id)).to.deep.equal(['ready', 'restart', 1, null]);
    const worker = await world.work();
    await ended(box.id);
    expect(world.engine.calls).to.deep.equal([`up ${box.stack} restart 1`]);
    expect(await rowOf(box.id)).to.deep.equal({ ...before, operation_number: 1, fence: '2' });
    const told = await eventsOf(box.id);
    expect(told.slice(told.lastIndexOf('queued started: Your restart is next.'))).to.deep.include.members([
      'queued done: A worker has begun.',
      'machine done: It runs.',
      'ready done: Your box is back, and answers.',
    ]);
    expect(await auditOf(box.user_id)).to.deep.equal([
      'user box.requested',
      'user box.restart_requested 1',
      'system box.restart_done 1',
    ]);
    expect(await world.database.db('machines').where('user_vps_id', box.id).select('status')).to.deep.equal([
      { status: 'owned' },
    ]);
    expect(await jobsOf(box.id, 'bill'), 'nothing is billed for it').to.deep.equal(['completed']);
    await waitFor('the job to be settled', async () => (await jobsOf(box.id)).join() === 'completed');
    await worker.stop();
  });

  it('is one operation however often it is asked for, and one at a time', async () => {
    const box = await haveBox('bob');
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(box)));
    expect(new Set(answers.map((one) => one.operation_number))).to.deep.equal(new Set([1]));
    const refused = await ask(box, 'rebuild').catch((error: unknown) => error);
    if (!(refused instanceof SpoqError)) throw new Error('It was not refused', { cause: refused });
    expect([refused.code, refused.detail]).to.deep.equal([
      'stack_busy',
      'A restart of the box is going on. Nothing else was begun.',
    ]);
    expect(await jobsOf(box.id)).to.deep.equal(['created']);
    const worker = await world.work();
    await ended(box.id);
    await ask(box, 'rebuild');
    await ended(box.id);
    expect(world.engine.calls).to.deep.equal([`up ${box.stack} restart 1`, `up ${box.stack} rebuild 2`]);
    await worker.stop();
  });

  it('that fails leaves the machine alone, says why, and is not repeated unless it is asked for', async () => {
    const box = await haveBox('carol');
    world.engine.script.up.unshift(async (_spec, { onEvent }) => {
      onEvent?.({ step: 'machine', state: 'started', message: 'Changing your machine' });
      throw new SpoqError('engine_failed', { detail: 'Contabo did not reinstall the machine: Maintenance.' });
    });
    await ask(box, 'rebuild');
    const wish = async () =>
      buildBoxSpec(world.cp.deps, await world.database.db('user_vps').where('id', box.id).first()).operation;
    expect(await wish()).to.deep.equal({ name: 'rebuild', number: 1, address: '127.0.1.7' });
    const worker = await world.work();
    await ended(box.id);
    expect(await wish(), 'no other change of the stack wipes the disk').to.equal(undefined);
    const reason = 'Contabo did not reinstall the machine: Maintenance.';
    expect(await stateOf(box.id)).to.deep.equal(['ready', 'rebuild', 1, reason]);
    expect((await eventsOf(box.id)).at(-1)).to.equal(`machine failed: ${reason}`);
    expect(world.engine.calls, 'nothing is destroyed').to.deep.equal([`up ${box.stack} rebuild 1`]);
    expect((await rowOf(box.id))['ip_address']).to.equal('127.0.1.7');
    await waitFor('the job to be settled', async () => (await jobsOf(box.id)).join() === 'completed');
    await rescueBoxes(world.cp.deps);
    expect(await jobsOf(box.id)).to.deep.equal(['completed']);

    await ask(box, 'rebuild');
    await ended(box.id);
    expect(await stateOf(box.id)).to.deep.equal(['ready', null, 2, null]);
    expect((await auditOf(box.user_id)).slice(1)).to.deep.equal([
      'user box.rebuild_requested 1',
      'system box.rebuild_failed 1',
      'user box.rebuild_requested 2',
      'system box.rebuild_done 2',
    ]);
    await worker.stop();
  });

  it('goes on under the same number after a failure that nobody foresaw, and in the end gives up', async () => {
    const box = await haveBox('dora');
    const breakDown = async () => {
      throw new TypeError('cannot read properties of undefined, with a secret in it');
    };
    world.engine.script.up.unshift(breakDown);
    await ask(box, 'rebuild');
    const worker = await world.work();
    await ended(box.id);
    expect(world.engine.calls).to.deep.equal([`up ${box.stack} rebuild 1`, `up ${box.stack} rebuild 1`]);
    expect((await eventsOf(box.id)).join()).not.to.contain('secret');
    await worker.stop();

    await ask(box);
    // As if every attempt had been used up.
    await world.database.db.raw(`UPDATE pgboss.job SET retry_limit = 0 WHERE name = 'operate' AND state = 'created'`);
    world.engine.script.up.unshift(breakDown);
    const last = await world.work();
    await ended(box.id);
    expect((await stateOf(box.id)).at(-1)).to.match(/^Something broke on our side/);
    await last.stop();
  });

  it('is taken over from a dead worker, and a run that has lost its lease writes nothing', async () => {
    const box = await haveBox('erin');
    await ask(box);
    const [job] = await world.cp.deps.boss.fetch<BoxJob>(QUEUES.operate);
    expect(job?.data).to.deep.equal({ user_vps_id: box.id });
    world.engine.script.up.unshift(
      (_spec, { onEvent, signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new SpoqError('cancelled')), { once: true });
          void takeFence(world.cp.deps.db, box.id, ['ready'], 'ready').then(() =>
            onEvent?.({ step: 'machine', state: 'started', message: 'Written by a run that has lost.' }),
          );
        }),
    );
    const worker = await world.work();
    await ended(box.id);
    expect(await stateOf(box.id)).to.deep.equal(['ready', null, 1, null]);
    expect((await eventsOf(box.id)).join()).not.to.contain('has lost');
    await worker.stop();
  });

  it('of a machine that reports its new set-up is told with it, and ends when that fails', async () => {
    const box = await haveBox('ida');
    const report = (spec: BoxSpec, fields: Record<string, string>): Promise<Response> =>
      fetch(world.cp.url + BOOT_REPORTS_PATH, {
        method: 'POST',
        headers: { authorization: `Bearer ${spec.report?.token}` },
        body: new URLSearchParams(fields),
      });
    world.engine.script.up.unshift(async (spec, { onEvent, signal }) => {
      onEvent?.({ step: 'machine', state: 'started', message: 'Changing your machine' });
      await report(spec, { step: 'account', state: 'done' });
      await report(spec, { step: 'packages', state: 'failed', log: 'E: no space left on device' });
      return new Promise((_resolve, reject) => {
        const stop = (): void => reject(new SpoqError('cancelled'));
        if (signal?.aborted) stop();
        else signal?.addEventListener('abort', stop, { once: true });
      });
    });
    await ask(box, 'rebuild');
    const worker = await world.work();
    await ended(box.id);
    const reason = 'Your machine could not set itself up (installing packages): E: no space left on device';
    expect(await stateOf(box.id)).to.deep.equal(['ready', 'rebuild', 1, reason]);
    // What the run itself tells is written beside the reports, and may come before or after one.
    expect((await eventsOf(box.id)).filter((line) => line.startsWith('box ')).slice(-3)).to.deep.equal([
      'box progress: Your account is there',
      'box progress: E: no space left on device',
      `box failed: ${reason}`,
    ]);
    expect(await world.database.db('boot_tokens').where('user_vps_id', box.id)).to.deep.equal([]);
    await ask(box, 'restart');
    await ended(box.id);
    expect(await stateOf(box.id)).to.deep.equal(['ready', null, 2, null]);
    await worker.stop();
  });

  it('gives the box the password that was chosen last, and touches nothing else', async () => {
    const box = await haveBox('hugo');
    const before = await rowOf(box.id);
    const user = await findUser(world.cp.deps.db, box.user_id);
    const choose = async (password: string): Promise<string> => {
      if (user === undefined) throw new Error('there is no such user');
      await setPassword({ ...world.cp.deps, knownPassword: () => false }, user, password, '127.0.0.1');
      return (await world.database.db('ssh_passwords').where('user_id', user.id).first()).argon2_hash;
    };
    const chosen = await choose('Moonflower-lake-72');
    await ask(box, 'password');
    await choose('Starflower-lake-73');
    const again = await ask(box, 'password').catch((error: unknown) => error);
    expect(again instanceof SpoqError && again.detail).to.equal(
      'A change of the password of the box is going on. Nothing else was begun.',
    );
    const worker = await world.work();
    await ended(box.id);
    expect(world.engine.calls).to.deep.equal([`converge ${box.stack}`]);
    const after = await rowOf(box.id);
    expect(after).to.deep.equal({
      ...before,
      ssh_password_hash: chosen,
      ssh_password_crypt: after['ssh_password_crypt'],
      operation_number: 1,
      fence: '2',
    });
    expect(after['ssh_password_crypt']).not.to.equal(before['ssh_password_crypt']);
    expect((await eventsOf(box.id)).at(-1)).to.equal('ready done: Your new password is in force.');
    await worker.stop();
  });

  it('gives way to the end of the box', async () => {
    const box = await haveBox('faye');
    await ask(box);
    await world.database.db.raw(`UPDATE pgboss.job SET state = 'failed' WHERE name = 'operate' AND state = 'created'`);
    const { db, boss } = world.cp.deps;
    await db.transaction((tx) => sendBoxJob(boss, tx, QUEUES.destroy, box));
    const worker = await world.work();
    await waitFor('the end', async () => (await rowOf(box.id))['status'] === 'terminated');
    await rescueBoxes(world.cp.deps);
    expect(await jobsOf(box.id)).to.deep.equal(['failed']);
    const refused = await ask(box).catch((error: unknown) => error);
    expect(refused instanceof SpoqError && refused.code).to.equal('conflict');
    await worker.stop();
  });

  it('that no job works on any more is taken up again', async () => {
    const box = await haveBox('gina');
    await ask(box);
    await world.database.db.raw(`UPDATE pgboss.job SET state = 'failed' WHERE name = 'operate' AND state = 'created'`);
    for (let round = 0; round < 2; round += 1) await rescueBoxes(world.cp.deps);
    expect(await jobsOf(box.id)).to.deep.equal(['failed', 'created']);
    const worker = await world.work();
    await ended(box.id);
    expect(await stateOf(box.id)).to.deep.equal(['ready', null, 1, null]);
    await worker.stop();
  });
});
