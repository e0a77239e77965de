import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { control, createPlan, refusal, runStripe, subscribe } from './testing.ts';

describe("the Stripe vendor's changes of plan", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let id: string;
  let item: Stripe.SubscriptionItem;
  let plus: Stripe.Price;
  let half: number;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
    const subscription = await subscribe(stripe);
    id = subscription.id;
    [item] = subscription.items.data as [Stripe.SubscriptionItem];
    half = item.current_period_start + (item.current_period_end - item.current_period_start) / 2;
    plus = await createPlan(stripe, 'Plus', 2400);
  });
  afterEach(() => running.close());

  const change = (fields: Stripe.SubscriptionUpdateParams) => stripe.subscriptions.update(id, fields);
  const upgrade = (fields: Stripe.SubscriptionUpdateParams = {}) =>
    change({ items: [{ id: item.id, price: plus.id }], proration_date: half, ...fields });
  const latest = async (): Promise<Stripe.Invoice> => {
    const { latest_invoice: invoice } = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
    return invoice as Stripe.Invoice;
  };
  const amounts = ({ lines }: Stripe.Invoice) => lines.data.map(({ amount }) => amount);
  const passDays = (days: number) => running.clock.advance(days * 86_400_000);

  it('bill the difference at once when told so', async () => {
    const changed = await upgrade({ proration_behavior: 'always_invoice' });
    expect(changed.items.data[0]?.price.id).to.equal(plus.id);
    const invoice = await latest();
    expect(amounts(invoice)).to.deep.equal([-600, 1200]);
    expect(invoice).to.deep.include({
      billing_reason: 'subscription_update',
      status: 'paid',
      total: 600,
      amount_paid: 600,
    });
    expect(invoice.lines.data.map(({ description }) => description?.replace(/ after .*/, ''))).to.deep.equal([
      'Unused time on 1 × spoq_basic_monthly',
      'Remaining time on 1 × Plus',
    ]);
    expect(invoice.lines.data[0]?.parent).to.deep.include({ type: 'invoice_item_details' });
    expect(invoice.lines.data[0]?.period).to.deep.equal({ start: half, end: item.current_period_end });
    const { data } = await stripe.events.list({ limit: 6 });
    expect(data.map(({ type }) => type).toReversed()).to.deep.equal([
      'invoiceitem.created',
      'customer.subscription.updated',
      'invoice.created',
      'invoice.finalized',
      'invoice.paid',
      'invoice.payment_succeeded',
    ]);
  });

  it('wait for the renewal otherwise, or are not made at all', async () => {
    await upgrade();
    expect((await stripe.invoices.list({ subscription: id })).data).to.have.length(1);
    passDays(32);
    const renewal = await latest();
    expect(amounts(renewal)).to.deep.equal([-600, 1200, 2400]);
    expect(renewal).to.deep.include({ billing_reason: 'subscription_cycle', amount_paid: 3000 });
    await change({ items: [{ id: item.id, quantity: 2 }], proration_behavior: 'none' });
    passDays(31);
    expect(amounts(await latest())).to.deep.equal([4800]);
  });

  it('credit a cheaper plan to the balance, which later invoices draw on', async () => {
    await upgrade({ proration_behavior: 'always_invoice', proration_date: item.current_period_start });
    const down = { items: [{ id: item.id, price: item.price.id }], proration_date: half };
    await change({ ...down, proration_behavior: 'always_invoice' });
    expect(await latest()).to.deep.include({
      total: -600,
      amount_due: 0,
      status: 'paid',
      starting_balance: 0,
      ending_balance: -600,
    });
    const { customer } = await stripe.subscriptions.retrieve(id);
    const balance = async () => ((await stripe.customers.retrieve(String(customer))) as Stripe.Customer).balance;
    expect(await balance()).to.equal(-600);
    const [event] = (await stripe.events.list({ type: 'customer.updated' })).data;
    expect(event?.data.previous_attributes).to.deep.equal({ balance: 0 });
    passDays(32);
    expect(await latest()).to.deep.include({
      total: 1200,
      amount_due: 600,
      amount_paid: 600,
      starting_balance: -600,
      ending_balance: 0,
    });
    expect(await balance()).to.equal(0);
  });

  it('carry what is too little to charge to the next invoice', async () => {
    const near = await createPlan(stripe, 'Near', 1240);
    await upgrade({ items: [{ id: item.id, price: near.id }], proration_behavior: 'always_invoice' });
    expect(await latest()).to.deep.include({ total: 20, amount_due: 0, status: 'paid', ending_balance: 20 });
    passDays(32);
    expect(await latest()).to.deep.include({ total: 1240, amount_due: 1260, starting_balance: 20 });
  });

  it('leave the subscription past due when they cannot be paid, or are refused whole', async () => {
    await control(running, `subscriptions/${id}/card`, { card: '4000000000000341' });
    const strict = upgrade({ proration_behavior: 'always_invoice', payment_behavior: 'error_if_incomplete' });
    expect(await refusal(strict)).to.deep.include({ statusCode: 402, code: 'card_declined' });
    const kept = await stripe.subscriptions.retrieve(id);
    expect([kept.status, kept.items.data[0]?.price.id]).to.deep.equal(['active', item.price.id]);
    expect((await stripe.invoices.list({ subscription: id })).data).to.have.length(1);
    const changed = await upgrade({ proration_behavior: 'always_invoice' });
    expect(changed.status).to.equal('past_due');
    expect(await latest()).to.deep.include({ status: 'open', amount_remaining: 600 });
    await change({ items: [{ id: item.id, price: item.price.id }], proration_behavior: 'always_invoice' });
    // What costs nothing makes good nothing.
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('past_due');
  });

  it('are previewed without happening', async () => {
    const details = { items: [{ id: item.id, price: plus.id }], proration_date: half };
    const now = await stripe.invoices.createPreview({
      subscription: id,
      subscription_details: { ...details, proration_behavior: 'always_invoice' },
    });
    expect(now).to.deep.include({ status: 'draft', total: 600, amount_due: 600, number: null, attempted: false });
    expect(now.id).to.match(/^upcoming_in_/);
    const later = await stripe.invoices.createPreview({ subscription: id, subscription_details: details });
    expect([amounts(later), later.created]).to.deep.equal([[-600, 1200, 2400], item.current_period_end]);
    expect(amounts(await stripe.invoices.createPreview({ subscription: id }))).to.deep.equal([1200]);
    expect((await stripe.subscriptions.retrieve(id)).items.data[0]?.price.id).to.equal(item.price.id);
    expect((await stripe.invoices.list()).data).to.have.length(1);
    await change({ cancel_at_period_end: true });
    expect(await refusal(stripe.invoices.createPreview({ subscription: id }))).to.deep.include({
      statusCode: 404,
      code: 'invoice_upcoming_none',
    });
  });

  it('are billed with the end of a cancelled subscription', async () => {
    await upgrade();
    await change({ cancel_at_period_end: true });
    expect(amounts(await stripe.invoices.createPreview({ subscription: id }))).to.deep.equal([-600, 1200]);
    passDays(32);
    expect(amounts(await latest())).to.deep.equal([-600, 1200]);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('canceled');
  });

  it('refuse what Stripe refuses, and by name what the sandbox does not do', async () => {
    const year = await stripe.prices.create({
      product: String(plus.product),
      currency: 'usd',
      unit_amount: 9000,
      recurring: { interval: 'year' },
    });
    const wrong: [Stripe.SubscriptionUpdateParams, string][] = [
      [{ items: [{ id: 'si_no', price: plus.id }] }, 'items[0][id]'],
      [{ items: [{ id: item.id, price: 'price_no' }] }, 'items[0][price]'],
      [{ items: [{ id: item.id, price: year.id }] }, 'items[0][price]'],
      [{ items: [{ price: plus.id }] }, 'items[0][id]'],
      [{ items: [{ id: item.id, deleted: true }] }, 'items[0][deleted]'],
      [{ proration_date: item.current_period_start - 1 }, 'proration_date'],
      [{ payment_behavior: 'pending_if_incomplete' }, 'payment_behavior'],
      [{ payment_behavior: 'default_incomplete' }, 'payment_behavior'],
      [{ default_payment_method: 'pm_no' }, 'default_payment_method'],
    ];
    const params: unknown[] = [];
    for (const [fields] of wrong) params.push((await refusal(upgrade(fields))).param);
    expect(params).to.deep.equal(wrong.map(([, param]) => param));
    expect((await stripe.subscriptions.retrieve(id)).items.data[0]?.price.id).to.equal(item.price.id);
  });

  it('take another saved card', async () => {
    const first = String((await stripe.subscriptions.retrieve(id)).default_payment_method);
    await control(running, `subscriptions/${id}/card`, { card: '5555555555554444' });
    expect((await change({ default_payment_method: first })).default_payment_method).to.equal(first);
  });
});
