import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { SpoqError } from '../../contract/errors.ts';
import { addMonths } from '../../sandbox/schedule.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { provisionBox } from '../commands/provision-box.ts';
import { settleCollection } from '../commands/settle-collection.ts';
import { syncSubscription } from '../commands/sync-subscription.ts';
import { findUser } from '../db/users.ts';
import { createBoxWorld, stripeControl, type BoxWorld } from '../testing/box-world.ts';
import { makeBox } from '../testing/scripted-engine.ts';
import { QUEUES, sendBoxJob } from './queues.ts';

const DAY = 86_400;

describe('collection', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  beforeEach(async () => {
    world = await createBoxWorld();
  });
  afterEach(() => world.close());

  const read = (id: string) => world.cp.deps.stripe.subscriptions.retrieve(id);
  const endOf = (subscription: Stripe.Subscription) => subscription.items.data[0]?.current_period_end ?? 0;
  const invoicesOf = async (subscription: string) =>
    (await world.cp.deps.stripe.invoices.list({ subscription, limit: 100 })).data
      .map((one) => `${one.billing_reason} ${one.status} ${one.amount_paid}`)
      .toReversed();
  const changes = () => world.stripe.requests.list().filter((one) => isChange(one)).length;
  const isChange = (one: { method: string; path: string }) =>
    one.method === 'POST' && one.path.startsWith('/v1/subscriptions/');
  const passDays = (days: number) => {
    world.cp.advance(days * DAY);
    world.stripe.clock.advance(days * DAY * 1000);
  };
  const jobsOf = async (boxId: string) =>
    (await world.cp.deps.boss.findJobs(QUEUES.bill, { key: boxId })).map((job) => job.state);
  const settled = (boxId: string, count: number) =>
    waitFor('the bill jobs to be done', async () => {
      const states = await jobsOf(boxId);
      return states.length === count && states.every((state) => state === 'completed');
    });

  /** Somebody whose box fails as often as `failures` says, as far as the first end. */
  async function begin(failures: number) {
    const { engine, database } = world;
    engine.script.up = [
      ...Array.from({ length: failures }, () => async () => {
        throw new SpoqError('engine_failed', { detail: 'No machine to be had.' });
      }),
      (spec, options) => makeBox(spec, options, engine.machines),
    ];
    const { userId } = await world.becomeReady('alice');
    const { stripe_subscription_id: id } = await database.db('subscriptions').where('user_id', userId).first();
    await provision(userId);
    return { userId, id: String(id), boxId: await waitForEnd(userId, failures > 0 ? 'failed' : 'ready') };
  }
  /** As the page's button; sessions don't outlive the months that pass here. */
  async function provision(userId: string) {
    const user = await findUser(world.cp.deps.db, userId);
    if (user === undefined) throw new Error('no such user');
    await provisionBox(world.cp.deps, user, { region: 'EU', retry: true, ip: '127.0.0.1' });
  }
  const waitForEnd = async (userId: string, status: string) =>
    String((await world.waitForBox(userId, (box) => box['status'] === status))['id']);

  it('asks nothing of anybody whose box is ready in time', async () => {
    await world.work();
    const { id, boxId } = await begin(0);
    await settled(boxId, 1);
    expect(await read(id)).to.deep.include({ status: 'active', pause_collection: null, trial_end: null });
    expect(changes()).to.equal(0);
  });

  it('is paused while there is no box, and the paid month begins when there is one', async () => {
    await world.work();
    const { userId, id, boxId } = await begin(2);
    await settled(boxId, 1);
    const paused = await read(id);
    expect(paused).to.deep.include({ status: 'active', pause_collection: { behavior: 'void', resumes_at: null } });
    expect(paused.metadata).to.deep.include({ paused_for_box: boxId });
    const begun = paused.start_date;
    const paidUntil = endOf(paused);

    passDays(33);
    expect(await invoicesOf(id)).to.deep.equal(['subscription_create paid 1200', 'subscription_cycle void 0']);
    await provision(userId);
    await settled(boxId, 2);
    expect(await waitForEnd(userId, 'failed')).to.equal(boxId);
    expect(changes()).to.equal(1);

    await provision(userId);
    await waitForEnd(userId, 'ready');
    await settled(boxId, 3);
    const { ready_at } = await world.database.db('user_vps').where('id', boxId).first('ready_at');
    const readyAt = Math.floor((ready_at as Date).getTime() / 1000);
    const resumed = await read(id);
    const renewal = paidUntil + readyAt - begun;
    expect(resumed).to.deep.include({ status: 'trialing', pause_collection: null, trial_end: renewal });
    expect(resumed.metadata).to.deep.include({ paid_from_box: boxId }).and.not.have.property('paused_for_box');
    expect(changes()).to.equal(2);
    // Written down at once: whoever waits for it to end sees the new end.
    const row = await world.database.db('subscriptions').where('user_id', userId).first();
    expect([row.status, row.expires_at]).to.deep.equal(['active', new Date(renewal * 1000)]);

    await settleCollection(world.cp.deps, boxId, 'again');
    expect(changes()).to.equal(2);

    // Nothing is collected until then, and the next month from then on.
    passDays(29);
    expect((await invoicesOf(id)).slice(2)).to.deep.equal(['subscription_update paid 0']);
    passDays(5);
    expect((await invoicesOf(id)).slice(3)).to.deep.equal(['subscription_cycle paid 1200']);
    const renewed = await read(id);
    expect(renewed.status).to.equal('active');
    expect(endOf(renewed)).to.equal(addMonths(new Date(renewal * 1000), 1).getTime() / 1000);
  });

  it('is looked at once more for every change, though a job waits already', async () => {
    const { boss, db } = world.cp.deps;
    const box = { id: 'b1', user_id: 'u1' };
    for (let change = 0; change < 2; change += 1) await db.transaction((tx) => sendBoxJob(boss, tx, QUEUES.bill, box));
    expect(await jobsOf('b1')).to.deep.equal(['created', 'created']);
  });

  it('is tried again until Stripe answers', async () => {
    world.stripe.faults.add({ vendor: 'stripe', method: 'POST', path: '^/v1/subscriptions/', status: 500, times: 4 });
    await world.work();
    const { id, boxId } = await begin(1);
    await settled(boxId, 1);
    const [job] = await world.cp.deps.boss.findJobs(QUEUES.bill, { key: boxId });
    expect(job?.retryCount).to.be.above(0);
    expect((await read(id)).pause_collection).to.deep.equal({ behavior: 'void', resumes_at: null });
    const keys = world.stripe.requests.list().filter(isChange);
    expect(new Set(keys.map((one) => one.request_headers['idempotency-key'])).size).to.equal(
      (job?.retryCount ?? 0) + 1,
    );
  });

  it('leaves alone what Stripe has ended, does not know, or nobody has paid', async () => {
    await world.work();
    const { id, userId, boxId } = await begin(0);
    await settled(boxId, 1);
    await world.database.db('user_vps').where('id', boxId).update({ status: 'failed' });
    await stripeControl(world.stripe, `subscriptions/${id}/status`, { status: 'canceled' });
    await settleCollection(world.cp.deps, boxId, 'ended');
    await world.database.db('checkouts').where('user_id', userId).update({ stripe_subscription_id: 'sub_none' });
    await settleCollection(world.cp.deps, boxId, 'unknown');
    await world.database.db('checkouts').where('user_id', userId).update({ status: 'paid' });
    await settleCollection(world.cp.deps, boxId, 'unpaid');
    await settleCollection(world.cp.deps, '00000000-0000-4000-8000-000000000000', 'no box');
    expect(changes()).to.equal(0);
  });

  it('is put right when Stripe tells of a subscription that pays for a box that failed', async () => {
    await world.work();
    const { id, boxId } = await begin(1);
    await settled(boxId, 1);
    const { stripe, db } = world.cp.deps;
    await stripe.subscriptions.update(id, { pause_collection: '' });
    await db.transaction((tx) => syncSubscription(world.cp.deps, tx, id));
    await settled(boxId, 2);
    expect((await read(id)).pause_collection).to.deep.equal({ behavior: 'void', resumes_at: null });
  });
});
