import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import type { OperationName } from '../../contract/vps.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { beginOperation } from '../commands/begin-operation.ts';
import { planMove } from '../commands/plan-move.ts';
import type { Move } from '../db/moves.ts';
import { findBox } from '../db/user-vps.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { makeBox } from '../testing/scripted-engine.ts';
import { rescueBoxes } from './rescue-boxes.ts';

const CAME_BACK = 'The box is where it was, and serves there.';

describe('boxes that move', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld({ HOSTINGER_API_KEY: 'key', HOSTINGER_PAYMENT_METHOD_ID: '1' });
  });
  after(() => world.close());
  beforeEach(async () => {
    world.engine.script = { up: [(spec, options) => makeBox(spec, options, world.engine.machines)] };
  });
  afterEach(() => world.stopWorkers());

  interface Box {
    id: string;
    user_id: string;
    /** What the engine was asked for, without the stack's name. */
    calls(): string[];
    row(): Promise<Record<string, unknown> & { move: Move | null }>;
    machines(): Promise<string[]>;
    ask(operation: OperationName): Promise<unknown>;
    /** The reason of its failure, if it failed. */
    ended(): Promise<unknown>;
  }

  /** Somebody with a box that is ready, and a worker. */
  async function haveBox(login: string): Promise<Box> {
    const { userId, browser } = await world.becomeReady(login);
    await browser.post('/api/vps/provision', { region: 'EU' });
    await world.work();
    const { id } = await world.waitForBox(userId, (box) => box['status'] === 'ready');
    const { db } = world.database;
    const box = { id: String(id), user_id: userId };
    const row = () => db('user_vps').where('id', box.id).first();
    const name = `box-${box.id}`;
    world.engine.calls.length = 0;
    return {
      ...box,
      row,
      calls: () => world.engine.calls.filter((call) => call.includes(name)).map((call) => call.replace(` ${name}`, '')),
      machines: async () =>
        (await db('machines').where('user_vps_id', box.id).orderBy('created_at')).map(
          (one) => `${one.provider} ${one.region} ${one.status}`,
        ),
      ask: async (operation) => {
        const present = await findBox(db, box.id);
        if (present === undefined) throw new Error('there is no box');
        const move =
          operation === 'move' ? planMove(world.cp.deps.config, present, { to: 'hostinger/fra' }) : undefined;
        return beginOperation(world.cp.deps, box, { operation, move, actor: 'operator', ip: null });
      },
      ended: () =>
        waitFor('the operation to end', async () => {
          const { operation, operation_failure: failure } = await row();
          return operation === null ? 'done' : (failure ?? false);
        }),
    };
  }
  /** The n-th run of the engine from now on fails so, the others do their work. */
  function failAt(n: number, error: Error): void {
    const works = world.engine.script.up[0];
    if (works === undefined) throw new Error('the script is empty');
    world.engine.script.up = [...Array.from({ length: n - 1 }, () => works), () => Promise.reject(error), works];
  }
  const refusal = (detail: string) => new SpoqError('engine_failed', { detail });

  it('are copied, switched to, and leave what they had', async () => {
    const box = await haveBox('alice');
    await box.ask('move');
    expect(await box.ended()).to.equal('done');
    expect(box.calls()).to.deep.equal(['up copy', 'up switch', 'up']);
    const place = { provider: 'hostinger', region: 'fra', plan: 'basic', machine: 1, ip_address: '127.0.1.8' };
    expect(await box.row()).to.deep.include({ ...place, status: 'ready', move: null, operation_failure: null });
    expect(await box.machines()).to.deep.equal(['contabo EU released', 'hostinger fra owned']);
    const [released] = await world.database.db('machines').where({ user_vps_id: box.id, status: 'released' });
    expect(released.ends_at.toISOString()).to.equal('2030-01-01T00:00:00.000Z');
    const tokens = await world.database.db('boot_tokens').where('user_vps_id', box.id);
    expect(tokens).to.deep.equal([]);
    const told = await world.database.db('audit_log').where('user_id', box.user_id).orderBy('id', 'desc').limit(2);
    expect(told.map(({ action }) => action)).to.deep.equal(['box.move_done', 'box.move_requested']);
  });

  for (const [n, stage] of ['copy', 'switch'].entries())
    it(`are taken back when the ${stage} fails, and may be moved again`, async () => {
      const box = await haveBox(`back-from-${stage}`);
      const before = await box.row();
      failAt(n + 1, refusal('Hostinger did not make the machine: Out of stock.'));
      await box.ask('move');
      expect(await box.ended()).to.equal(`Hostinger did not make the machine: Out of stock. ${CAME_BACK}`);
      expect(box.calls()).to.deep.equal([...['up copy', 'up switch'].slice(0, n + 1), 'takeBack']);
      const { provider, region, plan, ip_address, machine } = before;
      expect(await box.row()).to.deep.include({ provider, region, plan, ip_address, machine, move: null });
      // Nothing has come of the one that was only intended; one that was made is given up.
      expect(await box.machines()).to.deep.equal([
        'contabo EU owned',
        `hostinger fra ${n === 0 ? 'ended' : 'released'}`,
      ]);
      await box.ask('move');
      expect(await box.ended()).to.equal('done');
      expect(await box.row()).to.deep.include({ provider: 'hostinger', machine: 2 });
    });

  it('go on where another run has stopped', async () => {
    const box = await haveBox('gina');
    failAt(2, new Error('The engine was killed'));
    await box.ask('move');
    expect(await box.ended()).to.equal('done');
    expect(box.calls()).to.deep.equal(['up copy', 'up switch', 'up switch', 'up']);
  });

  it('stay at their new place when the old machine cannot be given up; the next operation does that first', async () => {
    const box = await haveBox('hugo');
    failAt(3, refusal('Contabo has not wiped the disk.'));
    await box.ask('move');
    expect(await box.ended()).to.equal(
      'The box is on its new machine. The old one could not be given up yet: Contabo has not wiped the disk.',
    );
    expect((await box.row()).move?.stage).to.equal('leave');
    expect(await box.machines()).to.deep.equal(['contabo EU owned', 'hostinger fra owned']);
    await box.ask('restart');
    expect(await box.ended()).to.equal('done');
    expect(box.calls().slice(3)).to.deep.equal(['up', 'up restart 2']);
    expect((await box.row()).move).to.equal(null);
    expect(await box.machines()).to.deep.equal(['contabo EU released', 'hostinger fra owned']);
  });

  it('are tried again by themselves where something is left to do', async () => {
    const box = await haveBox('ivan');
    failAt(3, refusal('Contabo has not wiped the disk.'));
    await box.ask('move');
    await box.ended();
    await rescueBoxes(world.cp.deps);
    expect(await box.ended()).to.equal('done');
    expect(await box.machines()).to.deep.equal(['contabo EU released', 'hostinger fra owned']);
    await rescueBoxes(world.cp.deps);
    expect((await box.row())['operation_number'], 'nothing is left').to.equal(2);
  });

  it('are not left between two machines when nothing more is tried', async () => {
    const box = await haveBox('ida');
    failAt(2, refusal('The name could not be set.'));
    let tries = 0;
    world.engine.script.takeBack = async () => {
      tries += 1;
      if (tries < 3) throw refusal('Hostinger has not wiped the disk.');
    };
    await box.ask('move');
    expect(await box.ended()).to.equal(`The name could not be set. ${CAME_BACK}`);
    expect(box.calls()).to.deep.equal(['up copy', 'up switch', 'takeBack', 'takeBack', 'takeBack']);
    expect(await box.row()).to.deep.include({ provider: 'contabo', move: null });
  });

  it('go nowhere that there is not, nor to where they are', async () => {
    const { config } = world.cp.deps;
    const here = { provider: 'contabo', region: 'EU', plan: 'basic' } as const;
    const explain = (wish: Parameters<typeof planMove>[2], settings = config): string => {
      try {
        return JSON.stringify(planMove(settings, here, wish));
      } catch (error) {
        return error instanceof SpoqError ? `${error.code}: ${error.detail}` : String(error);
      }
    };
    expect(explain({ to: 'contabo/UK' })).to.equal('{"provider":"contabo","region":"UK","plan":"basic"}');
    expect(explain({ to: 'hostinger/EU' })).to.match(
      /^invalid_request: to is none of contabo\/EU, .*hostinger\/gru\. Nothing was done\.$/,
    );
    expect(explain({ to: 'contabo/EU' })).to.match(/^conflict: The box is at contabo\/EU already/);
    expect(explain({})).to.match(/^conflict: The box is at contabo\/EU already/);
    expect(explain({ to: 'hostinger/fra' }, { ...config, HOSTINGER_API_KEY: undefined })).not.to.include(
      'hostinger/gru',
    );
    expect(explain({ to: 'contabo/UK' }, { ...config, BOX_CONVERGE: 'none' })).to.match(/^conflict: .*no SSH server/);
    const box = await haveBox('jack');
    const nowhere = beginOperation(world.cp.deps, box, { operation: 'move', actor: 'operator', ip: null });
    expect(await nowhere.catch(({ detail }: SpoqError) => detail)).to.equal('It is not said where the box shall go.');
    expect(await box.row()).to.deep.include({ operation: null, move: null });
  });
});
