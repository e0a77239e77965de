import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { hasSpec, loadSpec, type Spec } from '../conformance.ts';
import type { RunningVendor } from '../run-vendor.ts';
import { control, createPlan, openCheckout, pay, runStripe } from './testing.ts';

/** What Spoq calls, by the document's names. */
const OPERATIONS = [
  'DELETE /v1/subscriptions/{subscription_exposed_id}',
  'DELETE /v1/webhook_endpoints/{webhook_endpoint}',
  'GET /v1/checkout/sessions',
  'GET /v1/checkout/sessions/{session}',
  'GET /v1/checkout/sessions/{session}/line_items',
  'GET /v1/customers',
  'GET /v1/customers/{customer}',
  'GET /v1/events',
  'GET /v1/events/{id}',
  'GET /v1/invoices',
  'GET /v1/invoices/{invoice}',
  'GET /v1/prices',
  'GET /v1/prices/{price}',
  'GET /v1/products',
  'GET /v1/products/{id}',
  'GET /v1/subscriptions',
  'GET /v1/subscriptions/{subscription_exposed_id}',
  'GET /v1/webhook_endpoints',
  'GET /v1/webhook_endpoints/{webhook_endpoint}',
  'POST /v1/billing_portal/sessions',
  'POST /v1/checkout/sessions',
  'POST /v1/checkout/sessions/{session}/expire',
  'POST /v1/customers',
  'POST /v1/customers/{customer}',
  'POST /v1/prices',
  'POST /v1/products',
  'POST /v1/subscriptions/{subscription_exposed_id}',
  'POST /v1/webhook_endpoints',
];

describe('Stripe against its document', function () {
  let running: RunningVendor | undefined;
  let stripe: Stripe;
  let spec: Spec;
  before(async function () {
    if (!hasSpec('stripe.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    spec = loadSpec('stripe.json');
    const made = await runStripe();
    ({ running, stripe } = made);
  });
  after(() => running?.close());

  it('agrees with it in every operation that Spoq uses, as the SDK calls them', async () => {
    const customer = await stripe.customers.create({ email: 'ada@example.com', metadata: { user_id: 'u1' } });
    await stripe.customers.update(customer.id, { name: 'Ada' });
    await stripe.customers.retrieve(customer.id);
    await stripe.customers.list({ email: 'ada@example.com', limit: 3 });
    const { session, price } = await openCheckout(stripe, { customer: customer.id, allow_promotion_codes: true });
    await stripe.prices.list({ lookup_keys: ['spoq_basic_monthly'], active: true });
    await stripe.prices.retrieve(price.id, { expand: ['product'] });
    await stripe.products.retrieve(String(price.product));
    await stripe.products.list();
    await pay(session);
    const second = await openCheckout(stripe);
    await stripe.checkout.sessions.expire(second.session.id);
    await stripe.checkout.sessions.list({ status: 'complete' });
    await stripe.checkout.sessions.listLineItems(session.id);
    const paid = await stripe.checkout.sessions.retrieve(session.id, {
      expand: ['subscription', 'customer', 'line_items', 'invoice'],
    });
    const { id } = paid.subscription as Stripe.Subscription;
    await stripe.subscriptions.update(id, { cancel_at_period_end: true, metadata: { user_id: 'u1' } });
    await stripe.subscriptions.update(id, { pause_collection: { behavior: 'void' }, cancel_at_period_end: false });
    running?.clock.advance(32 * 86_400_000);
    await stripe.invoices.list({ subscription: id, status: 'void' });
    const trialEnd = Math.floor((running?.clock.now().getTime() ?? 0) / 1000) + 40 * 86_400;
    await stripe.subscriptions.update(id, {
      pause_collection: '',
      trial_end: trialEnd,
      proration_behavior: 'none',
    });
    await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice', 'customer'] });
    await stripe.subscriptions.list({ customer: customer.id, status: 'all' });
    const invoices = await stripe.invoices.list({ subscription: id });
    await stripe.invoices.retrieve(String(invoices.data[0]?.id));
    await changePlanAndPay(id);
    await stripe.subscriptions.cancel(id);
    const endpoint = await stripe.webhookEndpoints.create({
      url: 'http://127.0.0.1:9/',
      enabled_events: ['checkout.session.completed'],
    });
    await stripe.webhookEndpoints.retrieve(endpoint.id);
    await stripe.webhookEndpoints.list();
    await stripe.webhookEndpoints.del(endpoint.id);
    const events = await stripe.events.list({ limit: 100 });
    await stripe.events.retrieve(String(events.data[0]?.id));

    const all = (running?.requests.list() ?? []).filter(({ path }) => path.startsWith('/v1/'));
    // What the cut-out has no operation for is held to the SDK's types by sdk-types.test.ts.
    const entries = all.filter((entry) => spec.operationOf(entry) !== undefined);
    const faults = entries.flatMap((entry) =>
      spec.check(entry).map((fault) => `${entry.method} ${entry.path} ${fault}`),
    );
    expect(faults).to.deep.equal([]);
    expect([...new Set(entries.map((entry) => spec.operationOf(entry)))].toSorted()).to.deep.equal(OPERATIONS);
    const objects = events.data
      .filter(({ data }) => hasSchema(data.object))
      .flatMap(({ type, data: { object } }) =>
        spec.validate(`#/components/schemas/${object.object}`, object).map((fault) => `${type} ${fault}`),
      );
    expect(objects).to.deep.equal([]);
    const answers = all
      .filter((entry) => !entries.includes(entry) && entry.status === 200)
      .map((entry) => JSON.parse(entry.response_body) as { object: string; data?: { object: string }[] })
      .flatMap((body) => (body.object === 'list' ? (body.data ?? []) : [body]))
      .filter(hasSchema);
    expect(new Set(answers.map(({ object }) => object))).to.deep.equal(new Set(['invoice', 'invoice_payment']));
    expect(answers.flatMap((one) => spec.validate(`#/components/schemas/${one.object}`, one))).to.deep.equal([]);
  });

  /** Another price at once and one that waits, a preview of each, a failed renewal and how it is made good. */
  async function changePlanAndPay(id: string): Promise<void> {
    const price = await createPlan(stripe, 'Plus', 2400);
    running?.clock.advance(45 * 86_400_000);
    const { items, customer } = await stripe.subscriptions.retrieve(id);
    for (const [quantity, behavior] of [
      [1, 'always_invoice'],
      [2, 'create_prorations'],
    ] as const) {
      const details = {
        items: [{ id: String(items.data[0]?.id), price: price.id, quantity }],
        proration_behavior: behavior,
      };
      await stripe.invoices.createPreview({ subscription: id, subscription_details: details });
      await stripe.subscriptions.update(id, details);
    }
    if (running === undefined) return;
    await control(running, `subscriptions/${id}/card`, { card: '4000000000000341' });
    running.clock.advance(31 * 86_400_000);
    const { latest_invoice: invoice } = await stripe.subscriptions.retrieve(id);
    await stripe.invoices.retrieve(String(invoice));
    await control(running, `subscriptions/${id}/card`, { card: '4242424242424242' });
    await stripe.invoices.pay(String(invoice));
    await stripe.invoicePayments.list({ invoice: String(invoice) });
    await stripe.billingPortal.sessions.create({
      customer: String(customer),
      return_url: 'http://127.0.0.1:9/',
      flow_data: { type: 'payment_method_update' },
    });
  }

  it("refuses in the document's shape", async () => {
    await stripe.customers.retrieve('cus_no').catch(() => undefined);
    await stripe.products.create({ name: '' }).catch(() => undefined);
    await stripe.customers.create({ name: 'a' }, { idempotencyKey: 'k' });
    await stripe.customers.create({ name: 'b' }, { idempotencyKey: 'k' }).catch(() => undefined);
    await fetch(`${running?.url}/v1/customers`);
    const refusals = (running?.requests.list() ?? []).filter(({ status }) => status >= 400);
    expect(refusals.map(({ status }) => status)).to.deep.equal([404, 400, 400, 401]);
    expect(refusals.flatMap((entry) => spec.check(entry))).to.deep.equal([]);
  });
});

/** True for what the cut-out describes; of the rest it keeps the ids that lead there. */
function hasSchema({ object }: { object: string }): boolean {
  return !['invoiceitem', 'payment_method'].includes(object);
}
