import { expect } from 'chai';
import { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { connect, openCheckout, refusal, runStripe } from './testing.ts';

describe("the Stripe vendor's API", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
  });
  afterEach(() => running.close());

  it('keeps customers: create, get, list by email, update', async () => {
    const made = await stripe.customers.create({ email: 'ada@example.com', metadata: { user_id: 'u1', x: '1' } });
    expect(made.id).to.match(/^cus_[A-Za-z0-9]{24}$/);
    await stripe.customers.create({ email: 'bob@example.com' });
    const updated = await stripe.customers.update(made.id, { name: 'Ada', email: '', metadata: { x: '', y: '2' } });
    expect(updated).to.deep.include({ name: 'Ada', email: null, metadata: { user_id: 'u1', y: '2' } });
    expect(await stripe.customers.retrieve(made.id)).to.deep.include({ name: 'Ada' });
    const bobs = await stripe.customers.list({ email: 'bob@example.com' });
    expect(bobs.data.map(({ email }) => email)).to.deep.equal(['bob@example.com']);
    expect(await refusal(stripe.customers.retrieve('cus_no'))).to.deep.equal({
      type: 'StripeInvalidRequestError',
      statusCode: 404,
      code: 'resource_missing',
      decline_code: undefined,
      param: 'id',
      message: "No such customer: 'cus_no'",
    });
  });

  it('pages through lists, newest first', async () => {
    for (const name of ['one', 'two', 'three']) await stripe.customers.create({ name });
    const first = await stripe.customers.list({ limit: 2 });
    expect([first.data.map(({ name }) => name), first.has_more]).to.deep.equal([['three', 'two'], true]);
    const all: unknown[] = [];
    for await (const customer of stripe.customers.list({ limit: 1 })) all.push(customer.name);
    expect(all).to.deep.equal(['three', 'two', 'one']);
    const before = await stripe.customers.list({ ending_before: first.data[1]?.id, limit: 1 });
    expect(before.data.map(({ name }) => name)).to.deep.equal(['three']);
    expect((await refusal(stripe.customers.list({ limit: 101 }))).param).to.equal('limit');
  });

  it('finds prices by lookup key, and moves a key only when told', async () => {
    const { price } = await openCheckout(stripe);
    const found = await stripe.prices.list({
      lookup_keys: ['spoq_basic_monthly', 'other'],
      active: true,
      expand: ['data.product'],
    });
    expect(found.data.map(({ id }) => id)).to.deep.equal([price.id]);
    expect(found.data[0]?.product).to.deep.include({ object: 'product', name: 'Spoq Basic' });
    const second = {
      currency: 'usd',
      unit_amount: 1300,
      product: String(price.product),
      lookup_key: 'spoq_basic_monthly',
    };
    expect(await refusal(stripe.prices.create(second))).to.deep.include({ statusCode: 400, param: 'lookup_key' });
    const moved = await stripe.prices.create({ ...second, transfer_lookup_key: true });
    expect((await stripe.prices.list({ lookup_keys: ['spoq_basic_monthly'] })).data.map(({ id }) => id)).to.deep.equal([
      moved.id,
    ]);
    expect((await stripe.prices.retrieve(price.id)).lookup_key).to.equal(null);
    expect((await refusal(stripe.prices.create({ ...second, product: 'prod_no', lookup_key: 'x' }))).code).to.equal(
      'resource_missing',
    );
  });

  it('takes the key as bearer token or Basic user, and refuses others in their shape', async () => {
    const key = running.vendor.credentials['STRIPE_SECRET_KEY'] ?? '';
    const basic = { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` };
    expect((await fetch(`${running.url}/v1/customers`, { headers: basic })).status).to.equal(200);
    expect(await refusal(connect(running, 'sk_test_wrongwrongwrong').customers.list())).to.deep.equal({
      type: 'StripeAuthenticationError',
      statusCode: 401,
      code: undefined,
      decline_code: undefined,
      param: undefined,
      message: 'Invalid API Key provided: sk_test_************rong',
    });
    const bare = await fetch(`${running.url}/v1/customers`);
    expect([bare.status, bare.headers.get('www-authenticate')]).to.deep.equal([401, 'Basic realm="Stripe"']);
  });

  it('names what is wrong with parameters', async () => {
    const base = { mode: 'subscription', success_url: 'http://127.0.0.1/' } as const;
    const create = (fields: object): Promise<unknown> => stripe.checkout.sessions.create({ ...base, ...fields });
    expect(await refusal(create({}))).to.deep.include({ param: 'line_items', code: 'parameter_missing' });
    expect(await refusal(create({ colour: 'red' }))).to.deep.include({ param: 'colour', code: 'parameter_unknown' });
    expect(await refusal(create({ line_items: [{ price: 'price_no' }] }))).to.deep.include({
      statusCode: 400,
      param: 'line_items[0][price]',
      message: "No such price: 'price_no'",
    });
    expect(await refusal(create({ line_items: [{ price: 'p', quantity: 'many' }] }))).to.deep.include({
      param: 'line_items[0][quantity]',
      code: 'parameter_invalid_integer',
      message: 'Invalid integer: many',
    });
    expect(
      (
        await refusal(
          stripe.customers.list({ expand: ['data.nothing'] }).then(() => stripe.customers.create({ expand: ['nope'] })),
        )
      ).message,
    ).to.match(/cannot be expanded \(nope\)/);
  });

  it('replays the answer to a repeated key for a day, and refuses it for anything else', async () => {
    const options = { idempotencyKey: 'checkout-7' };
    const first = await stripe.customers.create({ email: 'ada@example.com' }, options);
    const again = await stripe.customers.create({ email: 'ada@example.com' }, options);
    expect(again).to.deep.equal(first);
    expect(again.lastResponse.headers['idempotent-replayed']).to.equal('true');
    expect((await stripe.customers.list()).data).to.have.length(1);
    expect(await refusal(stripe.customers.create({ email: 'eve@example.com' }, options))).to.deep.include({
      type: 'StripeIdempotencyError',
      statusCode: 400,
    });
    running.clock.advance(25 * 3600 * 1000);
    expect((await stripe.customers.create({ email: 'eve@example.com' }, options)).email).to.equal('eve@example.com');
  });

  it('keeps no answer for a request that was refused for its parameters', async () => {
    const options = { idempotencyKey: 'k' };
    await refusal(stripe.products.create({ name: '' }, options));
    expect((await stripe.products.create({ name: 'Good' }, options)).name).to.equal('Good');
  });

  it('makes one customer when an answer is lost and the SDK asks again', async () => {
    running.faults.add({ vendor: 'stripe', method: 'POST', path: '/v1/customers', cut: 'after' });
    const { hostname, port } = new URL(running.url);
    const key = running.vendor.credentials['STRIPE_SECRET_KEY'] ?? '';
    const patient = new Stripe(key, { host: hostname, port, protocol: 'http', maxNetworkRetries: 2, telemetry: false });
    await patient.customers.create({ email: 'ada@example.com' });
    expect((await stripe.customers.list()).data).to.have.length(1);
  });

  it('shows neither keys nor secrets in its state, and remembers everything after a restart', async () => {
    const endpoint = await stripe.webhookEndpoints.create({ url: 'http://127.0.0.1:9/', enabled_events: ['*'] });
    const customer = await stripe.customers.create({ email: 'ada@example.com' });
    const shown = JSON.stringify(running.vendor.inspect?.());
    for (const secret of [endpoint.secret ?? '-', ...Object.values(running.vendor.credentials)]) {
      expect(shown).not.to.include(secret);
    }
    expect((await stripe.webhookEndpoints.retrieve(endpoint.id)).secret).to.equal(undefined);
    running = await running.restart();
    expect(await connect(running).customers.retrieve(customer.id)).to.deep.include({ email: 'ada@example.com' });
    expect(await connect(running).webhookEndpoints.del(endpoint.id)).to.deep.include({ deleted: true });
    expect((await connect(running).webhookEndpoints.list()).data).to.deep.equal([]);
  });

  it('answers an address it does not have, and JSON bodies, as Stripe does', async () => {
    const headers = { authorization: `Bearer ${running.vendor.credentials['STRIPE_SECRET_KEY'] ?? ''}` };
    const unknown = await fetch(`${running.url}/v1/nothing`, { headers });
    expect([unknown.status, ((await unknown.json()) as { error: { message: string } }).error.message]).to.deep.equal([
      404,
      'Unrecognized request URL (GET: /v1/nothing).',
    ]);
    const json = { ...headers, 'content-type': 'application/json' };
    const post = await fetch(`${running.url}/v1/customers`, {
      method: 'POST',
      headers: json,
      body: '{"email":"a@b.c"}',
    });
    expect(post.status).to.equal(400);
    expect((await fetch(`${running.url}/v1/customers?limit=x`, { headers })).status).to.equal(400);
  });
});
