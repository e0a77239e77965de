import { expect } from 'chai';
import { Stripe } from 'stripe';
import { createRouters } from '../app.ts';
import { API_VERSION } from '../integrations/stripe.ts';
import { createBoxWorld, WEBHOOK_SECRET, type BoxWorld } from '../testing/box-world.ts';
import { createTestControlPlane } from '../testing/control-plane.ts';
import { createPerson, type Person } from '../testing/people.ts';
import { RATE_LIMITS, type RateLimitKind } from './rate-limit.ts';

const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };
/** A box below our domain, which the browser sends our cookie from. */
const BOX_PAGE = { 'sec-fetch-site': 'same-site', origin: 'http://mallory.spoq.localhost' };
const IMAGE = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
/** RFC 5737: nobody's. Each test has one of its own, for whoever is over a limit is remembered. */
let addresses = 0;
const nextAddress = () => `203.0.113.${(addresses += 1)}`;

describe('limits on writes', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  let address: string;
  before(async () => {
    world = await createBoxWorld({ TRUSTED_PROXIES: '127.0.0.1' });
  });
  beforeEach(async () => {
    await world.database.db.raw('TRUNCATE rate_limits');
    address = nextAddress();
  });
  after(() => world.close());

  const from = (ip: string) => ({ 'x-forwarded-for': ip });
  async function send(
    path: string,
    {
      method = 'POST',
      person,
      headers = OWN_PAGE,
      ip = address,
      url = world.cp.url,
    }: { method?: string; person?: Person; headers?: Record<string, string>; ip?: string; url?: string } = {},
  ): Promise<Response> {
    const sent = { accept: 'application/json', ...person?.headers, ...headers, ...from(ip) };
    return fetch(`${url}${path}`, { method, headers: sent, redirect: 'manual' });
  }
  /** As if somebody had been here `left` times less than they may. */
  async function useUp(kind: RateLimitKind, who: string, left = 0): Promise<void> {
    const { points, seconds } = RATE_LIMITS[kind];
    await world.database
      .db('rate_limits')
      .insert({ key: `${kind}:${who}`, points: points - left, expire: Date.now() + seconds * 1000 });
  }
  async function countOf(kind: RateLimitKind, who: string): Promise<number> {
    const found = await world.database.db('rate_limits').where('key', `${kind}:${who}`).first('points');
    return Number(found?.points ?? 0);
  }
  const listPosts = (routers: ReturnType<typeof createRouters>['open']) =>
    routers.flatMap(({ stack }) =>
      stack
        .filter(({ methods }) => methods.some((method) => !['GET', 'HEAD'].includes(method)))
        .map(({ methods, path }) => ({ method: methods[0] ?? '', path: String(path) })),
    );

  it('of every route with a session: by account', async () => {
    const person = await createPerson(world.cp, 'owner');
    await useUp('write', person.userId);
    const routes = listPosts(createRouters(world.cp.deps).withSession);
    expect(routes.length).to.be.above(10);
    for (const { method, path } of routes) {
      const answer = await send(path, { method, person });
      expect([answer.status, path]).to.deep.equal([429, path]);
    }
    expect(await countOf('write-address', address)).to.equal(0);
  });

  it('of every route with a session: by address', async () => {
    await useUp('write-address', address);
    for (const { method, path } of listPosts(createRouters(world.cp.deps).withSession)) {
      const answer = await send(path, { method });
      expect([answer.status, path]).to.deep.equal([429, path]);
    }
  });

  it('of every route without a session: by address', async () => {
    for (const kind of Object.keys(RATE_LIMITS) as RateLimitKind[]) await useUp(kind, address);
    const routes = listPosts(createRouters(world.cp.deps).open);
    expect(routes.map(({ path }) => path)).to.include.members(['/auth/revoke', '/api/subscription/webhook']);
    for (const { method, path } of routes) {
      const answer = await send(path, { method });
      expect([answer.status, answer.headers.has('retry-after'), path]).to.deep.equal([429, true, path]);
    }
  });

  it('count on two replicas together, and say when to try again', async () => {
    const key = world.cp.deps.config.ENCRYPTION_KEY.reveal();
    const { database, github } = world;
    const replica = await createTestControlPlane(database, github, {
      ENCRYPTION_KEY: key,
      TRUSTED_PROXIES: '127.0.0.1',
    });
    try {
      const person = await createPerson(world.cp, 'owner');
      await useUp('write', person.userId, 2);
      const headers = { 'sec-fetch-site': 'same-origin', origin: replica.url };
      expect((await send('/account/restart', { person })).status).to.equal(415);
      expect((await send('/account/restart', { person, headers, url: replica.url })).status).to.equal(415);
      const refused = await send('/account/restart', { person });
      expect([refused.status, refused.headers.get('content-type')]).to.deep.equal([429, 'application/problem+json']);
      expect(Number(refused.headers.get('retry-after'))).to.be.within(590, 600);
      expect(await refused.json()).to.include({
        code: 'too_many_requests',
        detail: 'There were too many attempts. Nothing was changed; try again in 10 minutes.',
      });
      expect((await send('/account/restart', { person, headers, url: replica.url })).status).to.equal(429);
    } finally {
      await replica.close();
    }
  });

  describe('are no way to lock somebody else out', () => {
    it('a stranger’s writes, without a session or with their own: nothing counts for the person', async () => {
      const [person, stranger] = [await createPerson(world.cp, 'owner'), await createPerson(world.cp, 'stranger')];
      const elsewhere = nextAddress();
      await Promise.all(
        Array.from({ length: 40 }, async (_, index) =>
          send('/account/restart', { ip: elsewhere, ...(index % 2 === 0 && { person: stranger }) }),
        ),
      );
      expect(await countOf('write-address', elsewhere)).to.equal(40);
      expect(await countOf('write', stranger.userId)).to.equal(20);
      expect([await countOf('write', person.userId), await countOf('write-address', address)]).to.deep.equal([0, 0]);
    });

    it('somebody who is over their own limit: takes nothing more from who shares the address', async () => {
      const [person, neighbour] = [await createPerson(world.cp, 'owner'), await createPerson(world.cp, 'owner')];
      await useUp('write', person.userId);
      for (let count = 0; count < 5; count += 1)
        expect((await send('/account/restart', { person })).status).to.equal(429);
      expect(await countOf('write-address', address)).to.equal(0);
      expect((await send('/account/restart', { person: neighbour })).status).to.equal(415);
    });

    it('a CSRF flood from a box below our domain: counts for nobody', async () => {
      const person = await createPerson(world.cp, 'owner');
      for (const { method, path } of listPosts(createRouters(world.cp.deps).withSession)) {
        const answer = await send(path.replaceAll(/:\w+/g, 'nothing'), { method, person, headers: BOX_PAGE });
        expect([answer.status, path]).to.deep.equal([403, path]);
      }
      expect(await world.database.db('rate_limits').select()).to.deep.equal([]);
    });

    it('pictures on another page whose addresses are ours: refused, and count for nobody', async () => {
      const person = await createPerson(world.cp, 'owner');
      for (const path of [
        '/auth/github',
        '/auth/verify?code=abacus-ablaze-zoom',
        '/account/billing/plan?plan=plus',
        `/claim/${'a'.repeat(43)}`,
      ]) {
        const answer = await send(path, { method: 'GET', person, headers: IMAGE });
        expect([answer.status, path]).to.deep.equal([403, path]);
      }
      expect(await world.database.db('rate_limits').select()).to.deep.equal([]);
      expect(await world.database.db('sessions').whereNull('user_id').select()).to.deep.equal([]);
    });

    it('links with wrong words on another page: no attempt of who follows them, and no look at the code', async () => {
      const person = await createPerson(world.cp, 'owner');
      const page = await send('/auth/verify?code=abacus-ablaze-zoom', {
        method: 'GET',
        person,
        headers: { ...LINK, accept: 'text/html' },
      });
      expect(page.status).to.equal(200);
      expect(await page.text())
        .to.include('value="abacus-ablaze-zoom"')
        .and.not.include('No device is waiting');
      const plan = await send('/account/billing/plan?plan=plus', { method: 'GET', person, headers: LINK });
      expect([plan.status, plan.headers.get('location')]).to.deep.equal([303, '/account/billing']);
      expect(await world.database.db('rate_limits').select()).to.deep.equal([]);
    });

    it('wrong codes of others at the same address: take no attempt of the person’s own', async () => {
      const person = await createPerson(world.cp, 'owner');
      await useUp('wrong-code-address', address);
      for (let count = 0; count < 12; count += 1) {
        const answer = await send('/auth/verify?code=abacus-ablaze-zoom', { method: 'GET', person });
        expect(answer.status).to.equal(429);
      }
      const elsewhere = nextAddress();
      const answer = await send('/auth/verify?code=abacus-ablaze-zoom', { method: 'GET', person, ip: elsewhere });
      expect(answer.status).to.equal(404);
    });

    it('unsigned events from where Stripe’s come from: limited, and Stripe is not', async () => {
      const flood = await Promise.all(
        Array.from({ length: RATE_LIMITS.webhook.points + 10 }, async (_, index) =>
          send('/api/subscription/webhook', index % 2 === 0 ? {} : { headers: { 'stripe-signature': 't=1,v1=00' } }),
        ),
      );
      const counts = Map.groupBy(flood, ({ status }) => status);
      expect([counts.get(400)?.length, counts.get(429)?.length]).to.deep.equal([RATE_LIMITS.webhook.points, 10]);
      const counted = await countOf('webhook', address);
      expect((await send('/api/subscription/webhook')).status).to.equal(429);
      expect(await countOf('webhook', address), 'more of it costs no query').to.equal(counted);
      const body = JSON.stringify({
        id: 'evt_signed',
        object: 'event',
        api_version: API_VERSION,
        created: Math.floor(Date.now() / 1000),
        type: 'radar.early_fraud_warning.created',
        data: { object: { id: 'issfr_1' } },
      });
      const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: WEBHOOK_SECRET });
      for (let count = 0; count < 3; count += 1) {
        const headers = { 'stripe-signature': signature, ...from(address) };
        const signed = await fetch(`${world.cp.url}/api/subscription/webhook`, { method: 'POST', body, headers });
        expect(signed.status).to.equal(200);
      }
    });
  });
});
