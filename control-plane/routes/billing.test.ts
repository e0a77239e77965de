import { expect } from 'chai';
import type Stripe from 'stripe';
import { waitFor } from '../../test/harness/wait.ts';
import { SpoqError } from '../../contract/errors.ts';
import { formatMoney } from '../presenters/money.ts';
import { watchSubscriptions } from '../jobs/watch-subscriptions.ts';
import { createBoxWorld, stripeControl, type BoxWorld } from '../testing/box-world.ts';
import { Browser, type Answer } from '../testing/browser.ts';

const DAY = 86_400;

describe('what a person pays', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  let stripe: Stripe;
  before(async () => {
    world = await createBoxWorld({}, { webhooks: true });
    await world.work();
    ({ stripe } = world.cp.deps);
  });
  afterEach(() => world.stripe.faults.clear());
  after(() => world?.close());

  const db = () => world.database.db;
  const sweep = () => watchSubscriptions(world.cp.deps, new AbortController().signal);
  const row = (userId: string) => db()('subscriptions').where('user_id', userId).first();
  const mails = (address: string, subject: RegExp) =>
    waitFor(`a mail to ${address} that says ${subject}`, async () =>
      (await world.mails(address)).find((mail) => subject.test(mail.subject)),
    );
  const signIn = async (browser: Browser): Promise<void> => {
    const begun = await browser.get('/auth/github');
    await browser.get(world.github.decide(begun.location ?? ''));
  };
  async function subscribe(login: string, { box = false } = {}) {
    const email = `${login}@example.com`;
    world.github.script.person = { ...world.github.script.person, email };
    const { browser, userId } = await world.becomeReady(login);
    if (box) {
      await browser.postJson('/api/vps/provision', { region: 'EU' });
      await world.waitForBox(userId, ({ status }) => status === 'ready');
    }
    return { browser, userId, email, subscriptionId: String((await row(userId)).stripe_subscription_id) };
  }
  async function payAgain(browser: Browser, answer?: Answer): Promise<string> {
    const begun = answer ?? (await browser.post('/api/subscription/create', { plan: 'basic' }));
    const session = /cs_[A-Za-z0-9_]+/.exec(begun.location ?? '')?.[0] ?? '';
    await stripeControl(world.stripe, `checkout/${session}/pay`);
    return session;
  }
  const refundsOf = async (subscription: string): Promise<number> => {
    const { data } = await stripe.invoices.list({ subscription });
    let sum = 0;
    for (const { id } of data)
      for (const { payment } of (await stripe.invoicePayments.list({ invoice: id })).data)
        sum += (await stripe.refunds.list({ payment_intent: String(payment.payment_intent) })).data.reduce(
          (a, b) => a + b.amount,
          0,
        );
    return sum;
  };

  describe('on its page', () => {
    it('is told with plan, card and invoices, and without Stripe as far as we know it', async () => {
      const { browser } = await subscribe('ann');
      const page = await browser.get('/account/billing');
      for (const part of ['Basic, $12 a month', 'Visa ending in 4242', '<td>$12</td>', 'Renews'])
        expect(page.text).to.include(part);
      world.stripe.faults.add({ vendor: 'stripe', times: 0, status: 500 });
      const without = await browser.get('/account/billing');
      expect([without.status, /Stripe does not answer just now/.test(without.text)]).to.deep.equal([200, true]);
    });

    it('leads to Stripe for card and invoices, and back', async () => {
      const { browser } = await subscribe('bob');
      const { status, location } = await browser.post('/account/billing/portal', {});
      expect([status, location?.startsWith(world.stripe.url)]).to.deep.equal([303, true]);
      const portal = await (await fetch(String(location))).text();
      expect(portal).to.include(`${world.cp.url}/account/billing`);
    });

    it('ends with what is paid for, and not before; and that can be taken back', async () => {
      const { browser, userId, email, subscriptionId } = await subscribe('cat');
      expect((await browser.get('/account/billing/cancel')).text).to.include('Nothing has been done yet');
      await browser.post('/account/billing/cancel', {});
      expect((await stripe.subscriptions.retrieve(subscriptionId)).cancel_at_period_end).to.equal(true);
      expect((await row(userId)).status).to.equal('active');
      expect((await browser.get('/account/billing')).text).to.match(/Your subscription ends on \w+/);
      await mails(email, /will end/);
      await browser.post('/account/billing/keep', {});
      expect((await row(userId)).cancel_at).to.equal(null);
      await mails(email, /goes on/);
    });

    it('changes its plan for exactly what was shown, and the box follows', async () => {
      const { browser, userId, email, subscriptionId } = await subscribe('dan', { box: true });
      world.advance(10 * DAY);
      await signIn(browser);
      const page = await browser.get('/account/billing/plan?plan=plus');
      const shown = /(\$[\d.]+) are charged now/.exec(page.text)?.[1];
      const date = /name="proration_date" value="(\d+)"/.exec(page.text)?.[1] ?? '';
      const stale = await browser.post('/account/billing/plan', {
        plan: 'plus',
        proration_date: String(Number(date) - 1000),
      });
      expect(stale.status).to.equal(409);
      expect((await row(userId)).plan).to.equal('basic');
      await browser.post('/account/billing/plan', { plan: 'plus', proration_date: date });
      const { data } = await stripe.invoices.list({ subscription: subscriptionId, limit: 1 });
      expect(formatMoney(data[0]?.amount_paid ?? 0, 'usd')).to.equal(shown);
      const box = await world.waitForBox(userId, (one) => one['plan'] === 'plus' && one['operation'] === null);
      expect(box['status']).to.equal('ready');
      await mails(email, /is now Plus/);
    });

    it('has its plan back, and the difference credited, when the box cannot follow', async () => {
      const { browser, userId, email, subscriptionId } = await subscribe('eli', { box: true });
      const works = world.engine.script.up.at(-1);
      const refuse = () => Promise.reject(new SpoqError('engine_failed', { detail: 'The vendor is out of stock.' }));
      if (works !== undefined) world.engine.script.up = [refuse, works];
      const page = await browser.get('/account/billing/plan?plan=plus');
      const date = /name="proration_date" value="(\d+)"/.exec(page.text)?.[1] ?? '';
      await browser.post('/account/billing/plan', { plan: 'plus', proration_date: date });
      const told = await mails(email, /could not be changed to Plus/);
      expect(told.text.replaceAll(/\s+/g, ' ')).to.include('The vendor is out of stock.');
      await waitFor('the plan to be back', async () => (await row(userId)).plan === 'basic');
      const { items } = await stripe.subscriptions.retrieve(subscriptionId);
      expect(items.data[0]?.price.lookup_key).to.equal('spoq_basic_monthly');
      const { data } = await stripe.invoices.list({ subscription: subscriptionId });
      const owed = data.reduce((sum, invoice) => sum + invoice.total, 0);
      expect(owed, 'a month of Basic, and what the seconds in between make').to.be.within(1200, 1205);
    });
  });

  describe('twice', () => {
    it('has the second payment back, all of it, and goes on with the first', async () => {
      const { userId, email, subscriptionId } = await subscribe('fay');
      const other = new Browser(world.cp.url);
      const session = await payAgain(other);
      await other.get(`/welcome?session_id=${session}`);
      await signIn(other);
      const second = String((await stripe.checkout.sessions.retrieve(session)).subscription);
      await mails(email, /gives back \$12/);
      expect((await stripe.subscriptions.retrieve(second)).status).to.equal('canceled');
      expect([await refundsOf(second), await refundsOf(subscriptionId)]).to.deep.equal([1200, 0]);
      expect(await row(userId)).to.deep.include({ status: 'active', stripe_subscription_id: subscriptionId });
    });

    it('is no matter when two people have one card', async () => {
      const [gus, hal] = [await subscribe('gus'), await subscribe('hal')];
      expect([(await row(gus.userId)).status, (await row(hal.userId)).status]).to.deep.equal(['active', 'active']);
    });
  });

  describe('before anybody has signed in', () => {
    const checkoutOf = (session: string) => db()('checkouts').where('stripe_session_id', session).first();
    async function payAs(email: string): Promise<string> {
      const browser = new Browser(world.cp.url);
      const begun = await browser.post('/api/subscription/create', { plan: 'basic' });
      const session = /cs_[A-Za-z0-9_]+/.exec(begun.location ?? '')?.[0] ?? '';
      await stripeControl(world.stripe, `checkout/${session}/pay`, { email });
      await waitFor('the payment to be known', async () => (await checkoutOf(session))?.status === 'paid');
      return session;
    }

    it('is claimed by the link in a mail, once, and looking at it changes nothing', async () => {
      const session = await payAs('payer@elsewhere.example');
      world.advance(11 * 60);
      await sweep();
      const mail = await mails('payer@elsewhere.example', /waits for you/);
      const path = new URL(/http\S+\/claim\/\S+/.exec(mail.text)?.[0] ?? '').pathname;
      // What is sent is not kept: it holds the link.
      await waitFor('the mail to be forgotten', async () =>
        (await db()('mails').where('kind', 'claim_payment').select('text')).every(({ text }) => text === ''),
      );
      const phone = new Browser(world.cp.url);
      for (let time = 0; time < 2; time += 1) expect((await phone.get(path)).text).to.include('$12 a month');
      expect((await checkoutOf(session)).status).to.equal('paid');
      expect((await phone.post(path, {}, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403);
      expect((await phone.post(path, {})).location).to.equal('/auth/github?return_to=/setup');
      world.github.script.person = {
        ...world.github.script.person,
        id: 77_001,
        login: 'ida',
        email: 'ida@example.com',
      };
      await signIn(phone);
      const { id } = await db()('users').where('github_id', '77001').first();
      expect((await row(id)).status).to.equal('active');
      const token = path.split('/').at(-1) ?? '';
      expect(world.cp.logs.join('\n')).to.include('/claim/:token').and.not.include(token);
      expect([(await phone.get(path)).status, (await new Browser(world.cp.url).post(path, {})).status]).to.deep.equal([
        404, 404,
      ]);
    });

    it('is claimed by whoever signs in with the same verified address, in whatever case', async () => {
      await payAs('Joe@Example.com');
      const elsewhere = new Browser(world.cp.url);
      world.github.script.person = {
        ...world.github.script.person,
        id: 77_002,
        login: 'joe',
        email: 'joe@example.com',
      };
      await signIn(elsewhere);
      const { id } = await db()('users').where('github_id', '77002').first();
      expect((await row(id)).status).to.equal('active');
    });

    it('goes back when nobody comes, with what it was for, and cannot be claimed any more', async () => {
      const session = await payAs('nobody@elsewhere.example');
      world.advance(8 * DAY);
      await sweep();
      await mails('nobody@elsewhere.example', /gives back \$12/);
      const { status, stripe_subscription_id: id } = await checkoutOf(session);
      expect([status, (await stripe.subscriptions.retrieve(id)).status, await refundsOf(id)]).to.deep.equal([
        'returned',
        'canceled',
        1200,
      ]);
      await sweep();
      expect(await refundsOf(id), 'once').to.equal(1200);
    });

    it('goes back although Stripe is away when it should', async () => {
      const session = await payAs('patient@elsewhere.example');
      world.advance(8 * DAY);
      world.stripe.faults.add({ vendor: 'stripe', method: 'POST', path: '/v1/refunds', times: 3, status: 500 });
      await sweep();
      await mails('patient@elsewhere.example', /gives back \$12/);
      expect(await refundsOf((await checkoutOf(session)).stripe_subscription_id)).to.equal(1200);
    });
  });

  describe('taken back', () => {
    it('by the bank switches the box off at once, and keeps its data', async () => {
      const { userId, email, subscriptionId } = await subscribe('kim', { box: true });
      const { stripe_customer_id: customer } = await row(userId);
      const { data } = await stripe.charges.list({ customer });
      await stripeControl(world.stripe, `charges/${data[0]?.id}/dispute`);
      await mails(email, /Your bank has taken/);
      const box = await world.waitForBox(userId, (one) => one['suspended_at'] !== null);
      expect([box['status'], (await row(userId)).status]).to.deep.equal(['ready', 'cancelled']);
      expect((await stripe.subscriptions.retrieve(subscriptionId)).status).to.equal('canceled');
    });

    it('by us, at Stripe, is told and changes nothing else', async () => {
      const { userId, email } = await subscribe('lea', { box: true });
      const { data } = await stripe.charges.list({ customer: (await row(userId)).stripe_customer_id });
      await stripe.refunds.create({ charge: String(data[0]?.id), amount: 500 });
      await mails(email, /gives back \$5$/);
      expect((await row(userId)).status).to.equal('active');
      expect((await world.waitForBox(userId, () => true))['suspended_at']).to.equal(null);
    });

    it('because there never was a box: all of it', async () => {
      const { email, subscriptionId } = await subscribe('max');
      await stripe.subscriptions.cancel(subscriptionId);
      await mails(email, /gives back \$12/);
      expect(await refundsOf(subscriptionId)).to.equal(1200);
    });
  });

  it('belongs to who GitHub says they are by number: a login may change, and be taken by somebody else', async () => {
    const { userId, browser } = await subscribe('nia', { box: true });
    const { id: number } = world.github.script.person;
    world.github.script.person = { ...world.github.script.person, login: 'nia-renamed' };
    await signIn(browser);
    expect(await db()('users').where('id', userId).first('username')).to.deep.equal({ username: 'nia-renamed' });
    const taker = new Browser(world.cp.url);
    world.github.script.person = {
      ...world.github.script.person,
      id: number + 40_000,
      login: 'nia',
      email: 'taker@example.com',
    };
    await signIn(taker);
    expect((await taker.get('/api/vps/status', { accept: 'application/json' })).status).to.equal(404);
    expect((await browser.get('/api/vps/status', { accept: 'application/json' })).status).to.equal(200);
  });
});
