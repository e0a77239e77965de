import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import { addDays } from '../billing/life.ts';
import { verifyAudit } from '../commands/audit.ts';
import type { Browser } from '../testing/browser.ts';
import { createBoxWorld, stripeControl, type BoxWorld } from '../testing/box-world.ts';
import { watchSubscriptions } from './watch-subscriptions.ts';

const DAY = 86_400;
const SAME = { 'sec-fetch-site': 'same-origin' };

describe('a subscription', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld({}, { webhooks: true });
    await world.work();
  });
  after(() => world?.close());

  interface Subscriber {
    browser: Browser;
    userId: string;
    email: string;
    subscriptionId: string;
    row(): Promise<Record<string, Date | string | null>>;
    box(): Promise<Record<string, unknown> | undefined>;
    /** What Stripe says from now on; resolves when it has arrived here. */
    become(status: string, ours: string): Promise<void>;
    mailsOf(kind: string): Promise<{ subject: string; sent: boolean }[]>;
  }
  const sweep = (): Promise<void> => watchSubscriptions(world.cp.deps, new AbortController().signal);
  /** Days pass at once; then what each minute does is done, once. */
  const pass = async (days: number): Promise<void> => {
    world.advance(days * DAY);
    await sweep();
  };

  async function subscribe(login: string): Promise<Subscriber> {
    const email = `${login}@example.com`;
    world.github.script.person = { ...world.github.script.person, email };
    const { browser, userId } = await world.becomeReady(login);
    await browser.postJson('/api/vps/provision', { region: 'EU' });
    await world.waitForBox(userId, ({ status }) => status === 'ready');
    const { db } = world.database;
    const row = async () => db('subscriptions').where('user_id', userId).first();
    const { stripe_subscription_id: subscriptionId } = await row();
    return {
      browser,
      userId,
      email,
      subscriptionId,
      row,
      box: async () => db('user_vps').where('user_id', userId).orderBy('created_at', 'desc').first(),
      async become(status, ours) {
        await stripeControl(world.stripe, `subscriptions/${subscriptionId}/status`, { status });
        await waitFor(`the subscription to be ${ours}`, async () => (await row()).status === ours);
      },
      mailsOf: async (kind) => {
        const rows = await db('mails').where({ user_id: userId, kind }).orderBy('created_at');
        return rows.map(({ subject, sent_at }) => ({ subject, sent: sent_at !== null }));
      },
    };
  }
  const untilBox = (userId: string, accept: (box: Record<string, unknown>) => boolean) =>
    world.waitForBox(userId, accept);
  const isOff = (box: Record<string, unknown>) => box['suspended_at'] !== null && box['operation'] === null;
  const isOn = (box: Record<string, unknown>) => box['suspended_at'] === null && box['operation'] === null;
  const machineOf = (boxId: unknown) => world.engine.machines.find(({ name }) => name === `box-${String(boxId)}`);

  it('that is not paid is told so, switched off after three days, and deleted after seven', async () => {
    const ada = await subscribe('ada');
    await ada.become('past_due', 'past_due');
    const { grace_started_at: began, suspends_at, grace_ends_at } = await ada.row();
    expect([suspends_at, grace_ends_at]).to.deep.equal([addDays(began as Date, 3), addDays(began as Date, 7)]);
    const page = await ada.browser.get('/account');
    expect(page.text).to.match(
      /Your last payment has failed\. Your box is switched off on \w+, \d+ \w+ \d{4} and deleted on/,
    );
    expect(await ada.mailsOf('payment_failed')).to.have.length(1);

    await pass(2.9);
    expect((await ada.box())?.['operation']).to.equal(null);
    await pass(0.1);
    const box = await untilBox(ada.userId, isOff);
    expect(machineOf(box['id'])?.state).to.equal('stopped');
    expect((await ada.browser.get('/account')).text).to.include(
      'Your box is switched off, with everything on it kept until',
    );
    expect(await ada.mailsOf('box_stopped')).to.have.length(1);

    await pass(1);
    expect((await ada.mailsOf('deletion_ahead')).map(({ subject }) => subject)).to.deep.equal([
      'Your box and its data will be deleted in 3 days',
    ]);
    await pass(2);
    await sweep();
    expect((await ada.mailsOf('deletion_ahead')).at(-1)?.subject).to.equal(
      'Your box and its data will be deleted tomorrow',
    );
    expect(machineOf(box['id'])).not.to.equal(undefined);
    await pass(1);
    expect((await ada.row()).status).to.equal('expired');
    await untilBox(ada.userId, ({ status }) => status === 'terminated');
    expect(machineOf(box['id'])).to.equal(undefined);
    await waitFor('the mail', async () => (await ada.mailsOf('box_deleted')).some(({ sent }) => sent));
    const [told] = (await world.mails(ada.email)).slice(-1);
    expect(told?.text).to.include('We keep no copy.');
    const proof = await world.database
      .db('audit_log')
      .where({ user_id: ada.userId, action: 'box.deleted' })
      .first('detail');
    expect(proof.detail).to.include({ machines: 1, listed_by_contabo: 0 });
    // Nothing goes on being collected for a box that is gone.
    const atStripe = await world.cp.deps.stripe.subscriptions.retrieve(ada.subscriptionId);
    await waitFor(
      'Stripe to know',
      async () => (await world.cp.deps.stripe.subscriptions.retrieve(ada.subscriptionId)).status === 'canceled',
    );
    expect(atStripe.id).to.equal(ada.subscriptionId);
    expect(await verifyAudit(world.database.db)).to.include({ ok: true });
  });

  it('that is paid at last has its box back, with the same disk, within a moment', async () => {
    const bea = await subscribe('bea');
    await bea.become('past_due', 'past_due');
    await pass(3);
    const off = await untilBox(bea.userId, isOff);
    await bea.become('active', 'active');
    const on = await untilBox(bea.userId, isOn);
    expect(on).to.deep.include({
      id: off['id'],
      provider_instance_id: off['provider_instance_id'],
      ip_address: off['ip_address'],
    });
    expect(machineOf(on['id'])?.state).to.equal('running');
    expect((await bea.browser.get('/account')).text).not.to.include('notice billing');
    expect(await bea.row()).to.deep.include({ grace_started_at: null, suspends_at: null, grace_ends_at: null });
    expect(await bea.mailsOf('paid_again')).to.have.length(1);
  });

  it('that ends at Stripe never skips the grace period, nor begins another', async () => {
    const cy = await subscribe('cy');
    await cy.become('past_due', 'past_due');
    const { grace_ends_at: ends } = await cy.row();
    await pass(2);
    await cy.become('canceled', 'cancelled');
    expect((await cy.row()).grace_ends_at).to.deep.equal(ends);
    expect((await cy.box())?.['status']).to.equal('ready');
  });

  it('that somebody takes up again within the grace period keeps its box', async () => {
    const dee = await subscribe('dee');
    await dee.become('canceled', 'cancelled');
    await pass(4);
    const off = await untilBox(dee.userId, isOff);
    const page = await dee.browser.get('/account/billing');
    expect(page.text).to.include('The same box goes on, with everything that is on it.');
    const answer = await dee.browser.post('/api/subscription/create', { plan: 'basic' }, SAME);
    const session = /cs_[A-Za-z0-9_]+/.exec(answer.location ?? '')?.[0];
    await stripeControl(world.stripe, `checkout/${session}/pay`);
    const on = await untilBox(dee.userId, isOn);
    expect(on['id']).to.equal(off['id']);
    const { stripe_subscription_id: next, status } = await dee.row();
    expect([status, next === dee.subscriptionId]).to.deep.equal(['active', false]);
    const customers = new Set(
      (await world.cp.deps.stripe.subscriptions.list({ status: 'all', limit: 100 })).data
        .filter(({ id }) => id === next || id === dee.subscriptionId)
        .map(({ customer }) => customer),
    );
    expect(customers.size, 'one customer, however often they come back').to.equal(1);
  });

  it('is warned of again, and waits, when no worker ran while it was time to', async () => {
    const eve = await subscribe('eve');
    await eve.become('canceled', 'cancelled');
    world.advance(9 * DAY);
    await sweep();
    expect((await eve.row()).status).to.equal('cancelled');
    expect((await eve.mailsOf('deletion_ahead')).map(({ subject }) => subject)).to.deep.equal([
      'Your box and its data will be deleted tomorrow',
    ]);
    await pass(0.9);
    expect((await eve.row()).status).to.equal('cancelled');
    await pass(0.1);
    expect((await eve.row()).status).to.equal('expired');
    await untilBox(eve.userId, ({ status }) => status === 'terminated');
  });

  it('outlives a clock of ours that is ten minutes or forty days off for a while', async () => {
    const [paid, late] = [await subscribe('pia'), await subscribe('lou')];
    await late.become('past_due', 'past_due');
    const endOf = async () => Number((await late.row()).grace_ends_at);
    const before = await endOf();
    const sweepAt = async (off: number): Promise<void> => {
      world.cp.advance(off);
      await sweep();
      world.cp.advance(-off);
    };
    for (const off of [600, -600]) await sweepAt(off);
    expect(await endOf(), 'no date has moved').to.equal(before);
    // A day passes between the last warning and the end, so that this only gives time.
    await sweepAt(40 * DAY);
    expect(await endOf()).to.be.above(before);
    expect([(await late.row()).status, (await paid.row()).status]).to.deep.equal(['past_due', 'active']);
    const boxes = await Promise.all([paid.box(), late.box()]);
    expect(boxes.map((box) => box?.['status'])).to.deep.equal(['ready', 'ready']);
    await late.become('active', 'active');
    expect((await late.row()).grace_ends_at).to.equal(null);
  });

  it('is not ended while Stripe does not answer, nor when it was paid without our hearing of it', async () => {
    const flo = await subscribe('flo');
    await flo.become('past_due', 'past_due');
    await pass(6.5);
    world.stripe.faults.add({ vendor: 'stripe', times: 0, path: '/v1/subscriptions/', status: 500 });
    await pass(1);
    expect((await flo.row()).status).to.equal('past_due');
    world.stripe.faults.clear();
    await world.database.db('stripe_events').del();
    // The webhook that would have told is lost.
    await stripeControl(world.stripe, 'webhook', { url: 'http://127.0.0.1:9/lost', secret: 'whsec_lost' }, 'PUT');
    await stripeControl(world.stripe, `subscriptions/${flo.subscriptionId}/status`, { status: 'active' });
    await sweep();
    expect((await flo.row()).status).to.equal('active');
    await untilBox(flo.userId, isOn);
  });
});
