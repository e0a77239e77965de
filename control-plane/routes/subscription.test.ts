import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { Stripe } from 'stripe';
import { createBoxWorld, stripeControl, type BoxWorld } from '../testing/box-world.ts';
import { Browser } from '../testing/browser.ts';

const SECRET = 'whsec_test_of_boxes';

describe('paying', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());

  const checkouts = async () => world.database.db('checkouts').orderBy('created_at');
  const subscriptionOf = async (userId: string) => world.database.db('subscriptions').where('user_id', userId).first();
  const checkoutOf = async (sessionId: string) =>
    world.database.db('checkouts').where('stripe_session_id', sessionId).first();

  /** Posts an event as Stripe would, signed with `secret` at `t`. */
  async function tell(
    event: object,
    { t = Math.floor(Date.now() / 1000), secret = SECRET, change = (raw: string) => raw } = {},
  ) {
    const raw = JSON.stringify(event);
    const v1 = createHmac('sha256', secret).update(`${t}.${raw}`).digest('hex');
    const response = await fetch(`${world.cp.url}/api/subscription/webhook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=${t},v1=${v1}` },
      body: change(raw),
    });
    const { outcome, code } = (await response.json()) as { outcome?: string; code?: string };
    return [response.status, outcome ?? code];
  }
  let events = 0;
  const makeEvent = (type: string, object: object) => ({
    id: `evt_${(events += 1)}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: Math.floor(Date.now() / 1000),
    type,
    data: { object },
  });

  it('leads a form to Stripe Checkout and a script to its address, twice to the same one', async () => {
    const browser = new Browser(world.cp.url);
    const form = await browser.post('/api/subscription/create', { plan: 'basic' });
    expect(form.status).to.equal(303);
    expect(new URL(form.location ?? '').origin).to.equal(world.stripe.url);
    const again = await browser.post('/api/subscription/create', { plan: 'basic' });
    expect(again.location).to.equal(form.location);
    const json = await browser.postJson('/api/subscription/create', { plan: 'basic' }, { accept: 'application/json' });
    expect([json.status, JSON.parse(json.text)]).to.deep.equal([200, { checkout_url: form.location }]);
    const other = await browser.post('/api/subscription/create', { plan: 'plus' });
    expect(other.location).not.to.equal(form.location);
    expect((await checkouts()).map(({ plan, status, user_id }) => ({ plan, status, user_id }))).to.deep.equal([
      { plan: 'basic', status: 'open', user_id: null },
      { plan: 'plus', status: 'open', user_id: null },
    ]);
  });

  it('makes one checkout of two clicks at the same moment', async () => {
    const browser = new Browser(world.cp.url);
    await browser.post('/api/subscription/create', { plan: 'plus' });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => browser.post('/api/subscription/create', { plan: 'basic' })),
    );
    expect(new Set(answers.map((one) => one.location)).size).to.equal(1);
  });

  it('refuses what comes from another site, and plans that there are not', async () => {
    const browser = new Browser(world.cp.url);
    const foreign = await browser.post(
      '/api/subscription/create',
      { plan: 'basic' },
      { origin: 'https://evil.example' },
    );
    expect(foreign.status).to.equal(403);
    const unknown = await browser.postJson(
      '/api/subscription/create',
      { plan: 'gold' },
      { accept: 'application/json' },
    );
    expect([unknown.status, JSON.parse(unknown.text).code]).to.deep.equal([400, 'invalid_request']);
  });

  it('says so when Stripe is away, and charges nobody', async () => {
    const { cp } = world;
    const paid = await world.pay();
    const { stripe } = cp.deps;
    try {
      cp.deps.stripe = new (stripe.constructor as new (key: string, config: object) => typeof stripe)('sk_test_x', {
        host: '127.0.0.1',
        port: 9,
        protocol: 'http',
        maxNetworkRetries: 0,
      });
      const answer = await new Browser(cp.url).postJson(
        '/api/subscription/create',
        { plan: 'basic' },
        { accept: 'application/json' },
      );
      const { status, code, detail } = JSON.parse(answer.text);
      expect([status, code]).to.deep.equal([502, 'upstream_failed']);
      expect(detail).to.contain('Nothing was charged');
      const { sessionId } = paid;
      const page = await paid.browser.get(`/welcome?session_id=${sessionId}`);
      expect(page.status).to.equal(502);
      expect(page.text).to.contain('What you have paid is not lost').and.not.contain('Nothing was charged');
    } finally {
      cp.deps.stripe = stripe;
    }
  });

  it('begins anew where Stripe would only repeat the failure that it keeps under a key', async () => {
    const { sessions } = world.cp.deps.stripe.checkout;
    const { create } = sessions;
    const kept = new Set<unknown>();
    sessions.create = ((params: object, options: { idempotencyKey: string }) => {
      if (kept.size > 0 && !kept.has(options.idempotencyKey)) return create.call(sessions, params, options);
      kept.add(options.idempotencyKey);
      throw new Stripe.errors.StripeAPIError({ message: 'An error of ours', type: 'api_error', statusCode: 500 });
    }) as typeof create;
    try {
      const browser = new Browser(world.cp.url);
      expect((await browser.post('/api/subscription/create', { plan: 'basic' })).status).to.equal(502);
      const again = await browser.post('/api/subscription/create', { plan: 'basic' });
      expect([again.status, new URL(again.location ?? '').origin]).to.deep.equal([303, world.stripe.url]);
      expect((await checkouts()).slice(-2).map(({ status }) => status)).to.deep.equal(['expired', 'open']);
    } finally {
      sessions.create = create;
    }
  });

  it('takes note of a payment when the browser is back before the webhook, and binds it to who signs in', async () => {
    const { browser, sessionId } = await world.pay('plus');
    expect((await checkoutOf(sessionId)).status).to.equal('open');
    const page = await browser.get(`/welcome?session_id=${sessionId}`);
    expect(page.text).to.contain('Payment received').and.contain('Sign in with GitHub');
    expect((await browser.get('/setup')).location).to.equal('/welcome');
    expect((await checkoutOf(sessionId)).status).to.equal('paid');
    await signInAs(browser, 'paula', 901);
    const bound = await checkoutOf(sessionId);
    expect(bound.status).to.equal('bound');
    expect(await subscriptionOf(bound.user_id)).to.deep.include({
      status: 'active',
      plan: 'plus',
      stripe_subscription_id: bound.stripe_subscription_id,
      stripe_customer_id: bound.stripe_customer_id,
    });
    expect((await browser.get('/setup')).location).to.equal('/setup/password');
    const second = await browser.post('/api/subscription/create', { plan: 'basic' });
    expect([second.status, second.location]).to.deep.equal([303, '/setup']);
  });

  it('binds by the webhook alone when somebody signed in before the payment came through', async () => {
    const browser = new Browser(world.cp.url);
    const begun = await browser.post('/api/subscription/create', { plan: 'basic' });
    const sessionId = /cs_[A-Za-z0-9_]+/.exec(begun.location ?? '')?.[0] ?? '';
    await signInAs(browser, 'quentin', 902);
    const { user_id: userId } = await checkoutOf(sessionId);
    expect(await subscriptionOf(userId)).to.equal(undefined);
    await stripeControl(world.stripe, `checkout/${sessionId}/pay`);
    const event = makeEvent('checkout.session.completed', { id: sessionId });
    expect(await tell(event)).to.deep.equal([200, 'applied']);
    expect((await subscriptionOf(userId)).status).to.equal('active');
    expect(await tell(event)).to.deep.equal([200, 'repeated']);
  });

  it('believes Stripe and not the event: order does not matter', async () => {
    const { userId } = await world.becomeReady('rosa');
    const { stripe_subscription_id: id } = await subscriptionOf(userId);
    const stale = makeEvent('customer.subscription.updated', { id, status: 'active' });
    await stripeControl(world.stripe, `subscriptions/${id}/status`, { status: 'past_due' });
    const invoice = makeEvent('invoice.payment_failed', { parent: { subscription_details: { subscription: id } } });
    expect(await tell(invoice)).to.deep.equal([200, 'applied']);
    expect((await subscriptionOf(userId)).status).to.equal('past_due');
    // Late, and it still says `active`.
    expect(await tell(stale)).to.deep.equal([200, 'applied']);
    expect((await subscriptionOf(userId)).status).to.equal('past_due');
    await stripeControl(world.stripe, `subscriptions/${id}/status`, { status: 'active' });
    const all = await Promise.all(
      [1, 2, 3, 4].map(() => tell(makeEvent('customer.subscription.updated', { id, status: 'past_due' }))),
    );
    expect(all).to.deep.equal(all.map(() => [200, 'applied']));
    expect((await subscriptionOf(userId)).status).to.equal('active');
  });

  it('keeps both when a person pays twice, and goes on with the paid one', async () => {
    const { browser, userId } = await world.becomeReady('sam');
    const first = (await subscriptionOf(userId)).stripe_subscription_id;
    const { browser: other, sessionId } = await world.pay('plus');
    await other.get(`/welcome?session_id=${sessionId}`);
    const { id } = world.github.script.person;
    await signInAs(other, 'sam', id);
    const second = (await checkoutOf(sessionId)).stripe_subscription_id;
    expect((await subscriptionOf(userId)).stripe_subscription_id).to.equal(first);
    const kept = await world.database.db('checkouts').where({ user_id: userId, status: 'bound' });
    expect(new Set(kept.map((row) => row.stripe_subscription_id))).to.deep.equal(new Set([first, second]));
    await stripeControl(world.stripe, `subscriptions/${first}/status`, { status: 'canceled' });
    await tell(makeEvent('customer.subscription.deleted', { id: first }));
    expect(await subscriptionOf(userId)).to.deep.include({
      stripe_subscription_id: second,
      status: 'active',
      plan: 'plus',
    });
    expect((await browser.get('/setup')).location).to.equal('/setup/region');
  });

  it('takes no event that Stripe has not signed', async () => {
    const event = makeEvent('customer.subscription.updated', { id: 'sub_x' });
    const old = Math.floor(Date.now() / 1000) - 301;
    const refused = [400, 'signature_invalid'];
    expect(await tell(event, { secret: 'whsec_of_another' })).to.deep.equal(refused);
    expect(await tell(event, { t: old })).to.deep.equal(refused);
    expect(await tell(event, { change: (raw) => `${raw} ` })).to.deep.equal(refused);
    const bare = await fetch(`${world.cp.url}/api/subscription/webhook`, { method: 'POST', body: '{}' });
    expect(bare.status).to.equal(400);
    const huge = await tell(event, { change: () => 'x'.repeat(1_100_000) });
    expect(huge).to.deep.equal([413, 'body_too_large']);
    expect(await world.database.db('stripe_events').where('id', event.id)).to.deep.equal([]);
    expect(await tell(event)).to.deep.equal([200, 'applied']);
  });

  it('answers 200 to what it does not know', async () => {
    expect(await tell(makeEvent('radar.early_fraud_warning.created', { id: 'issfr_1' }))).to.deep.equal([
      200,
      'ignored',
    ]);
    expect(await tell(makeEvent('checkout.session.completed', { id: 'cs_of_another_shop' }))).to.deep.equal([
      200,
      'applied',
    ]);
  });

  it('is moved by no live event while it has a test key, though it be signed', async () => {
    const { userId } = await world.becomeReady('liv');
    // When we looked is all that may change.
    const look = async () => ({ ...(await subscriptionOf(userId)), checked_at: 0, updated_at: 0 });
    const before = await look();
    for (const id of ['sub_live_of_nobody', before.stripe_subscription_id]) {
      const event = { ...makeEvent('customer.subscription.deleted', { id, status: 'canceled' }), livemode: true };
      expect(await tell(event)).to.deep.equal([200, 'applied']);
    }
    expect(await look()).to.deep.equal(before);
  });

  it("does not show one person another's payment", async () => {
    const { sessionId } = await (async () => {
      const paid = await world.pay();
      await paid.browser.get(`/welcome?session_id=${paid.sessionId}`);
      await signInAs(paid.browser, 'tina', 903);
      return paid;
    })();
    const stranger = new Browser(world.cp.url);
    await signInAs(stranger, 'udo', 904);
    expect((await stranger.get(`/welcome?session_id=${sessionId}`)).status).to.equal(404);
    for (const id of ['cs_never', '%00', 'cs_%00', '%ED%A0%80'])
      expect((await stranger.get(`/welcome?session_id=${id}`)).status, id).to.equal(404);
    expect((await stranger.get('/setup')).location).to.equal('/?choose=1#plans');
  });

  it('lets nobody slip their own checkout into the browser of somebody else', async () => {
    const thief = new Browser(world.cp.url);
    await signInAs(thief, 'viktor', 905);
    const planted = await thief.post('/api/subscription/create', { plan: 'basic' });
    const sessionId = /cs_[A-Za-z0-9_]+/.exec(planted.location ?? '')?.[0] ?? '';
    const before = await checkoutOf(sessionId);
    for (const login of [undefined, 'wanda'] as const) {
      const victim = new Browser(world.cp.url);
      if (login !== undefined) await signInAs(victim, login, 906);
      const link = await victim.get(`/welcome?session_id=${sessionId}`);
      expect([link.status, link.text.includes('Waiting for your payment')]).to.deep.equal(
        login === undefined ? [200, true] : [404, false],
      );
      expect(await checkoutOf(sessionId)).to.deep.equal(before);
      const own = await victim.post('/api/subscription/create', { plan: 'basic' });
      expect(own.location).to.be.a('string').and.not.contain(sessionId);
    }
  });

  it('gives what was begun by nobody yet to the browser that comes back from paying, and not before', async () => {
    const { location } = await new Browser(world.cp.url).post('/api/subscription/create', { plan: 'basic' });
    const sessionId = /cs_[A-Za-z0-9_]+/.exec(location ?? '')?.[0] ?? '';
    const phone = new Browser(world.cp.url);
    await signInAs(phone, 'xenia', 907);
    const before = await checkoutOf(sessionId);
    expect((await phone.get(`/welcome?session_id=${sessionId}`)).text).to.contain('Waiting for your payment');
    expect(await checkoutOf(sessionId)).to.deep.equal(before);
    await stripeControl(world.stripe, `checkout/${sessionId}/pay`);
    expect((await phone.get(`/welcome?session_id=${sessionId}`)).location).to.equal('/setup');
    const { status, user_id: userId } = await checkoutOf(sessionId);
    expect(status).to.equal('bound');
    expect((await subscriptionOf(userId)).status).to.equal('active');
    expect((await world.database.db('users').where('id', userId).first()).username).to.equal('xenia');
  });

  async function signInAs(browser: Browser, login: string, id: number): Promise<void> {
    world.github.script.person = { ...world.github.script.person, id, login };
    const begun = await browser.get('/auth/github');
    await browser.get(world.github.decide(begun.location ?? ''));
  }
});
