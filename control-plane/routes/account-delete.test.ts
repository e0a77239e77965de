import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import { deleteAccount } from '../commands/delete-account.ts';
import { provisionBox } from '../commands/provision-box.ts';
import { addDays } from '../billing/life.ts';
import { forgetRemains } from '../db/erase-user.ts';
import { findUser, markLeaving, type UserRow } from '../db/users.ts';
import { runDestroyJob } from '../jobs/destroy-job.ts';
import { watchSubscriptions } from '../jobs/watch-subscriptions.ts';
import { createBoxWorld, stripeControl, type BoxWorld } from '../testing/box-world.ts';
import { Browser } from '../testing/browser.ts';
import { Device } from '../testing/device.ts';

const HERE = '/account/delete';
const MINUTE = 60;

describe('the deletion of an account', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  beforeEach(async () => {
    world = await createBoxWorld({}, { webhooks: true });
  });
  afterEach(() => world?.close());

  const db = () => world.database.db;
  const userOf = async (id: string): Promise<UserRow> => (await findUser(db(), id)) ?? expect.fail('no such person');
  const actions = async (userId: string): Promise<string[]> =>
    (await db()('audit_log').where('user_id', userId).orderBy('id')).map(({ action }) => String(action));
  const signIn = async (browser: Browser) => {
    const begun = await browser.get('/auth/github');
    return browser.get(world.github.decide(begun.location ?? ''));
  };
  const untilDeleted = (userId: string) =>
    waitFor('the end of the account', async () => (await userOf(userId)).deleted_at !== null);

  async function subscribe(login: string, { box = true } = {}) {
    world.github.script.person = { ...world.github.script.person, email: `${login}@example.com` };
    const { browser, userId } = await world.becomeReady(login);
    if (box) {
      await browser.postJson('/api/vps/provision', { region: 'EU' });
      await world.waitForBox(userId, ({ status }) => status === 'ready');
    }
    const { stripe_subscription_id: subscriptionId } = await db()('subscriptions').where('user_id', userId).first();
    const subscription = () => world.cp.deps.stripe.subscriptions.retrieve(subscriptionId);
    return { browser, userId, subscription };
  }
  const paidBack = async (subscriptionId: string): Promise<number> => {
    const row = await db()('settlements').where('stripe_subscription_id', subscriptionId).first();
    return row?.refunded_amount ?? 0;
  };

  it('ends what is paid, gives the box up, leaves nothing that is about the person, and says so', async () => {
    await world.work();
    const login = 'ada-who-leaves';
    const { browser, userId, subscription } = await subscribe(login);
    const device = new Device(world.cp.url);
    const tokens = await device.signIn(browser, 'ada-laptop');
    const other = new Browser(world.cp.url);
    await signIn(other);
    const box = await db()('user_vps').where('user_id', userId).first();

    world.advance(5 * MINUTE);
    const form = await browser.get(HERE);
    expect(form.text).to.include(box.hostname).and.to.include('what is left of that is not given back');
    const asked = await browser.post(HERE, { login });
    expect([asked.status, asked.location]).to.deep.equal([303, HERE]);
    await untilDeleted(userId);

    expect(world.engine.machines.filter(({ name }) => !name.startsWith('released'))).to.deep.equal([]);
    expect((await subscription()).status).to.equal('canceled');
    expect(await paidBack((await subscription()).id)).to.equal(0);
    expect((await device.refresh(tokens.refresh_token)).body.error).to.equal('invalid_grant');
    expect((await other.get('/account')).location).to.include('/auth/github');
    expect((await browser.get(HERE)).text).to.include('Your account is deleted');
    expect((await browser.get('/account')).location).to.include('/auth/github');

    await waitFor('the last mail', async () =>
      (await world.mails(`${login}@example.com`)).some(({ subject }) => subject === 'Your Spoq account is deleted'),
    );
    const subjects = (await world.mails(`${login}@example.com`)).map(({ subject }) => subject);
    expect(subjects).to.include('Your Spoq account is being deleted');
    expect(subjects.filter((subject) => /ended|and its data/.test(subject))).to.deep.equal([]);
    const order = ['user.deletion_asked', 'subscription.expired', 'box.deleted', 'user.deleted'];
    expect((await actions(userId)).filter((action) => order.includes(action))).to.deep.equal(order);

    // The name rests, so that nobody else gets the visitors, and then goes too.
    // What is sent is written down a moment after it has arrived.
    await waitFor('the mail to be forgotten', async () => {
      await forgetRemains(db(), new Date(0));
      return (await findTraces([login]))['mails'] === undefined;
    });
    expect(await findTraces([login, 'ada-laptop', box.ip_address])).to.deep.equal({
      // Append only. Ids lead nowhere any more.
      audit_log: [login, 'ada-laptop'],
      user_vps: [login],
    });
    await forgetRemains(db(), addDays(new Date(), 1));
    expect(Object.keys(await findTraces([login]))).to.deep.equal(['audit_log']);
  });

  /** Which of these words stand in which table, of ours and of the queues. */
  async function findTraces(words: string[]): Promise<Record<string, string[]>> {
    const found: Record<string, string[]> = {};
    expect(words).not.to.include('');
    const tables = await db()('information_schema.tables')
      .whereIn('table_schema', ['public', 'pgboss'])
      .andWhere('table_type', 'BASE TABLE')
      .select('table_schema', 'table_name');
    for (const { table_schema: schema, table_name: name } of tables) {
      const rows = await db()
        .withSchema(schema)
        .from(name)
        .select(db().raw('row_to_json(??.*)::text as row', [name]));
      const text = rows.map(({ row }: { row: string }) => row).join('\n');
      const here = words.filter((word) => text.includes(word));
      if (here.length > 0) found[name] = here;
    }
    return found;
  }

  it('gives back what was paid for a box that there never was', async () => {
    await world.work();
    const { browser, userId, subscription } = await subscribe('bob', { box: false });
    await browser.post(HERE, { login: 'BOB' });
    await untilDeleted(userId);
    const { id, status } = await subscription();
    expect(status).to.equal('canceled');
    expect(await paidBack(id)).to.be.above(0);
    expect(await actions(userId)).to.include('subscription.settled');
  });

  it('waits for a sign-in of the last ten minutes, and for the login, and does nothing before', async () => {
    await world.work();
    const { browser, userId } = await subscribe('carol', { box: false });
    const wrong = await browser.post(HERE, { login: 'caro' });
    expect([wrong.status, wrong.text.includes('is not carol. Nothing was done.')]).to.deep.equal([400, true]);
    const asJson = await browser.postJson(HERE, { login: 'caro' }, { accept: 'application/json' });
    expect(JSON.parse(asJson.text).errors).to.deep.equal([{ field: 'login', message: 'is not carol' }]);
    world.advance(10 * MINUTE);
    expect((await browser.get(HERE)).text)
      .to.include('Sign in again')
      .and.not.to.include('<form method="post" action="/account/delete">');
    const late = await browser.post(HERE, { login: 'carol' });
    expect([late.status, late.text.includes('signed in more than ten minutes ago')]).to.deep.equal([403, true]);
    expect((await userOf(userId)).deletion_asked_at).to.equal(null);
    await signIn(browser);
    expect((await browser.post(HERE, { login: 'carol' })).status).to.equal(303);
  });

  it('shows how far it is, and lets nobody in meanwhile', async () => {
    const worker = await world.work();
    const { browser, userId } = await subscribe('dan');
    await worker.stop();
    const dan = await userOf(userId);
    await browser.post(HERE, { login: 'dan' });
    const page = await browser.get(HERE);
    expect(page.text).to.include('Your account is being deleted').and.to.include('We write to dan@example.com');
    // No worker has done anything yet, and the page claims nothing.
    expect(page.text.replaceAll(/<[^>]+>|\s+/g, ' ')).to.match(/The subscription is ended\s*, running/);
    expect((await browser.post(HERE, { login: 'dan' })).status).to.equal(401);
    expect((await browser.post('/account/rebuild', { hostname: 'x' })).status).to.equal(401);
    const refused = await signIn(new Browser(world.cp.url));
    expect([refused.status, refused.text.includes('This account is being deleted')]).to.deep.equal([409, true]);
    // A click that was on its way when it was asked for makes no machine.
    const late = await provisionBox(world.cp.deps, dan, { region: 'EU', retry: false, ip: '::1' }).catch(
      (error: unknown) => (error as { code?: string }).code,
    );
    expect(late).to.equal('account_leaving');
    await world.work();
    await untilDeleted(userId);
  });

  it('waits for Stripe and for the vendor, however often it takes', async () => {
    const worker = await world.work();
    const { browser, userId, subscription } = await subscribe('eve');
    await worker.stop();
    await browser.post(HERE, { login: 'eve' });
    world.stripe.faults.add({ vendor: 'stripe', method: 'GET', path: '/v1/subscriptions', status: 500, times: 100 });
    const failed = await deleteAccount(world.cp.deps, userId).then(
      () => 'went on',
      () => 'waits',
    );
    expect(failed).to.equal('waits');
    expect((await userOf(userId)).deleted_at).to.equal(null);
    expect(await db()('user_vps').where('user_id', userId).first('status')).to.deep.equal({ status: 'ready' });
    world.stripe.faults.clear();
    for (let time = 0; time < 3; time += 1) await deleteAccount(world.cp.deps, userId);
    expect((await userOf(userId)).deleted_at, 'while there is a machine').to.equal(null);
    await world.work();
    await untilDeleted(userId);
    expect((await subscription()).status).to.equal('canceled');
    expect((await actions(userId)).filter((action) => action === 'user.deleted')).to.have.length(1);
  });

  it('signs out and goes on though the process died right after it was noted', async () => {
    await world.work();
    const { browser, userId } = await subscribe('ivy');
    const tokens = await new Device(world.cp.url).signIn(browser, 'ivy-laptop');
    await markLeaving(db(), userId, world.cp.deps.now());
    expect((await browser.get('/account')).location, 'whatever is in its session').to.include('/auth/github');
    await watchSubscriptions(world.cp.deps, new AbortController().signal);
    expect((await new Device(world.cp.url).refresh(tokens.refresh_token)).body.error).to.equal('invalid_grant');
    await untilDeleted(userId);
  });

  it('gives back what is paid while it goes on, and after it', async () => {
    const worker = await world.work();
    const { browser, userId } = await subscribe('fay');
    const begun = await browser.post('/api/subscription/create', { plan: 'basic' });
    const session = /cs_[A-Za-z0-9_]+/.exec(begun.location ?? '')?.[0];
    // Somebody who has a box is led there and pays nothing; a page that was opened before is still good.
    const checkout = session ?? (await openCheckout(userId));
    await worker.stop();
    await browser.post(HERE, { login: 'fay' });
    await stripeControl(world.stripe, `checkout/${checkout}/pay`);
    await world.work();
    await untilDeleted(userId);
    const paid = await waitFor('the money to go back', async () =>
      db()('settlements').where({ user_id: userId, reason: 'no_box' }).whereNotNull('done_at').first(),
    );
    expect(paid.refunded_amount).to.be.above(0);
  });

  /** A Checkout session of theirs that nobody has paid yet. */
  async function openCheckout(userId: string): Promise<string> {
    const visitor = new Browser(world.cp.url);
    const begun = await visitor.post('/api/subscription/create', { plan: 'basic' });
    const session = /cs_[A-Za-z0-9_]+/.exec(begun.location ?? '')?.[0] ?? expect.fail('no way to pay');
    await db()('checkouts').where('stripe_session_id', session).update({ user_id: userId });
    return session;
  }

  it('lets the same person come back as somebody new', async () => {
    await world.work();
    const { browser, userId } = await subscribe('gus', { box: false });
    await browser.post(HERE, { login: 'gus' });
    await untilDeleted(userId);
    await signIn(browser);
    const again = await db()('users').where('username', 'gus').first();
    expect(again.id).not.to.equal(userId);
    expect((await browser.get(HERE)).text).to.include('Type <code>gus</code>');
  });

  it('is a history that repeats itself without harm: a destroyed box is not destroyed again', async () => {
    const worker = await world.work();
    const { browser, userId } = await subscribe('hal');
    await browser.post(HERE, { login: 'hal' });
    await untilDeleted(userId);
    await worker.stop();
    const before = await actions(userId);
    await deleteAccount(world.cp.deps, userId);
    const box = await db()('user_vps').where('user_id', userId).first('id');
    await runDestroyJob({ ...world.cp.deps, engine: world.engine } as never, { boxId: box.id } as never);
    expect(await actions(userId)).to.deep.equal(before);
  });
});
