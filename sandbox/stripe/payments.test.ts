import { readFileSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { connect, control, refusal, runStripe, subscribe } from './testing.ts';

const MONTH = 32 * 86_400_000;

describe("the Stripe vendor's payments", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
  });
  afterEach(() => running.close());

  const paymentOf = async (invoice: string): Promise<Stripe.InvoicePayment> => {
    const { data } = await stripe.invoicePayments.list({ invoice });
    if (data[0] === undefined) throw new Error(`${invoice} has no payment`);
    return data[0];
  };
  const chargeOf = async (subscription: Stripe.Subscription): Promise<Stripe.Charge> => {
    const payment = await paymentOf(String(subscription.latest_invoice));
    const intent = await stripe.paymentIntents.retrieve(String(payment.payment.payment_intent), {
      expand: ['latest_charge'],
    });
    return intent.latest_charge as Stripe.Charge;
  };
  const eventsOf = async (prefix: string): Promise<Stripe.Event[]> =>
    (await stripe.events.list({ limit: 100, type: prefix })).data.toReversed();

  it('stand behind every paid invoice: invoice payment, intent, charge', async () => {
    const subscription = await subscribe(stripe);
    const payment = await paymentOf(String(subscription.latest_invoice));
    expect(payment).to.deep.include({ amount_paid: 1200, amount_requested: 1200, is_default: true, status: 'paid' });
    expect(await stripe.invoicePayments.retrieve(payment.id)).to.deep.include({ id: payment.id });
    const intentId = String(payment.payment.payment_intent);
    const found = await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: intentId } });
    expect(found.data.map(({ invoice }) => invoice)).to.deep.equal([subscription.latest_invoice]);
    const intent = await stripe.paymentIntents.retrieve(intentId);
    expect(intent).to.deep.include({ amount: 1200, amount_received: 1200, status: 'succeeded' });
    const charge = await stripe.charges.retrieve(String(intent.latest_charge));
    expect(charge).to.deep.include({ amount: 1200, paid: true, refunded: false, payment_intent: intentId });
    expect(charge.payment_method_details?.card).to.deep.include({ brand: 'visa', last4: '4242' });
    running.clock.advance(MONTH);
    const { data } = await stripe.charges.list({ customer: String(subscription.customer) });
    expect(data.map(({ amount, status }) => [amount, status])).to.deep.equal([
      [1200, 'succeeded'],
      [1200, 'succeeded'],
    ]);
    expect((await stripe.charges.list({ payment_intent: intentId })).data).to.have.length(1);
  });

  it('are given back in parts, until nothing is left', async () => {
    const charge = await chargeOf(await subscribe(stripe));
    const intent = String(charge.payment_intent);
    const part = await stripe.refunds.create({ payment_intent: intent, amount: 500, metadata: { why: 'goodwill' } });
    expect(part).to.deep.include({
      amount: 500,
      status: 'succeeded',
      charge: charge.id,
      metadata: { why: 'goodwill' },
    });
    expect(await stripe.charges.retrieve(charge.id)).to.deep.include({ amount_refunded: 500, refunded: false });
    expect(await refusal(stripe.refunds.create({ charge: charge.id, amount: 701 }))).to.deep.include({
      statusCode: 400,
      param: 'amount',
      message: 'Refund amount ($7.01) is greater than unrefunded amount on charge ($7.00)',
    });
    const rest = await stripe.refunds.create({ charge: charge.id, reason: 'requested_by_customer' });
    expect(rest).to.deep.include({ amount: 700, reason: 'requested_by_customer' });
    expect(await stripe.charges.retrieve(charge.id)).to.deep.include({ amount_refunded: 1200, refunded: true });
    expect(await refusal(stripe.refunds.create({ charge: charge.id }))).to.deep.include({
      statusCode: 400,
      code: 'charge_already_refunded',
      message: `Charge ${charge.id} has already been refunded.`,
    });
    const all = (await stripe.refunds.list({ payment_intent: intent })).data;
    expect(all.map(({ id }) => id)).to.deep.equal([rest.id, part.id]);
    expect((await stripe.refunds.retrieve(part.id)).id).to.equal(part.id);
    expect((await eventsOf('refund.created')).map(({ data }) => (data.object as Stripe.Refund).amount)).to.deep.equal([
      500, 700,
    ]);
    const charges = await eventsOf('charge.refunded');
    expect(charges.map(({ data: { object } }) => (object as Stripe.Charge).refunded)).to.deep.equal([false, true]);
    expect((await refusal(stripe.refunds.create({ charge: 'ch_no' }))).code).to.equal('resource_missing');
    expect((await refusal(stripe.refunds.create({}))).statusCode).to.equal(400);
  });

  it('are disputed and decided by controls', async () => {
    const charge = await chargeOf(await subscribe(stripe));
    const made = (await control(running, `charges/${charge.id}/dispute`)) as Stripe.Dispute;
    expect(made).to.deep.include({ amount: 1200, charge: charge.id, reason: 'fraudulent', status: 'needs_response' });
    expect((await stripe.charges.retrieve(charge.id)).disputed).to.equal(true);
    expect((await refusal(stripe.refunds.create({ charge: charge.id }))).code).to.equal('charge_disputed');
    await control(running, `disputes/${made.id}/close`, { status: 'lost' });
    expect((await stripe.disputes.retrieve(made.id)).status).to.equal('lost');
    expect((await stripe.disputes.list({ charge: charge.id })).data).to.have.length(1);
    expect((await eventsOf('charge.dispute.*')).map(({ type }) => type)).to.deep.equal([
      'charge.dispute.created',
      'charge.dispute.closed',
    ]);
  });

  it('come from a card that keeps what was typed', async () => {
    const first = await subscribe(stripe, { card_number: '5555 5555 5555 4444', card_expiry: '03 / 31' });
    const card = await stripe.paymentMethods.retrieve(String(first.default_payment_method));
    expect(card.card).to.deep.include({ brand: 'mastercard', last4: '4444', exp_month: 3, exp_year: 2031 });
    const second = await subscribe(stripe, { card_number: '5555555555554444' });
    const expanded = await stripe.subscriptions.retrieve(second.id, {
      expand: ['default_payment_method', 'latest_invoice'],
    });
    const again = expanded.default_payment_method as Stripe.PaymentMethod;
    expect(again.card?.fingerprint).to.equal(card.card?.fingerprint);
    expect(again.id).not.to.equal(card.id);
    expect(expanded.latest_invoice).to.deep.include({ object: 'invoice', status: 'paid' });
    const cards = await stripe.customers.listPaymentMethods(String(first.customer));
    expect(cards.data.map(({ id }) => id)).to.deep.equal([card.id]);
    const changed = (await control(running, `subscriptions/${first.id}/card`, {
      card: '4000000000000341',
      exp_month: 7,
      exp_year: 2033,
    })) as Stripe.Subscription;
    const other = await stripe.paymentMethods.retrieve(String(changed.default_payment_method));
    expect(other.card).to.deep.include({ last4: '0341', exp_month: 7, exp_year: 2033 });
    expect(other.card?.fingerprint).not.to.equal(card.card?.fingerprint);
    const [event] = (await stripe.events.list({ type: 'customer.subscription.updated' })).data;
    expect(event?.data.previous_attributes).to.deep.equal({ default_payment_method: card.id });
  });

  it('are there for invoices that an earlier sandbox kept', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'spoq-stripe-old-'));
    const made = await runStripe({ stateDir });
    const { id } = await subscribe(made.stripe, { card_number: '4000000000000341' });
    const file = join(stateDir, 'stripe.json');
    const old = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    for (const kind of ['payment_methods', 'card_numbers', 'invoice_payments', 'payment_intents', 'charges', 'refunds'])
      delete old[kind];
    writeFileSync(file, JSON.stringify({ ...old, cards: { [id]: '4000000000000341' } }));
    const later = await made.running.restart();
    const client = connect(later);
    const subscription = await client.subscriptions.retrieve(id, { expand: ['default_payment_method'] });
    expect((subscription.default_payment_method as Stripe.PaymentMethod).card?.last4).to.equal('0341');
    const { data } = await client.invoicePayments.list({ invoice: String(subscription.latest_invoice) });
    expect(data.map(({ status, amount_paid: paid }) => [status, paid])).to.deep.equal([['paid', 1200]]);
    later.clock.advance(MONTH);
    expect((await client.subscriptions.retrieve(id)).status).to.equal('past_due');
    await later.close();
    await made.running.close();
  });
});
