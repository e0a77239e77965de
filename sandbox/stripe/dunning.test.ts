import { expect } from 'chai';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { control, refusal, runStripe, subscribe } from './testing.ts';

const DAY = 86_400;

describe("the Stripe vendor's dunning", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let id: string;
  let renewal: number;
  beforeEach(async () => {
    ({ running, stripe } = await runStripe());
    const subscription = await subscribe(stripe);
    id = subscription.id;
    renewal = subscription.items.data[0]?.current_period_end ?? 0;
    await control(running, `subscriptions/${id}/card`, { card: '4000000000000341' });
  });
  afterEach(() => running.close());

  const passTo = (seconds: number) => running.clock.advance(seconds * 1000 + 1000 - running.clock.now().getTime());
  const latest = async (): Promise<Stripe.Invoice> => {
    const subscription = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
    return subscription.latest_invoice as Stripe.Invoice;
  };
  const types = async (): Promise<string[]> =>
    (await stripe.events.list({ limit: 100 })).data.map(({ type }) => type).toReversed();

  it('tries again after 3, 5 and 7 days, then ends the subscription and leaves the invoice open', async () => {
    const seen: unknown[] = [];
    for (const day of [0, 3, 8]) {
      passTo(renewal + day * DAY);
      const { status, attempt_count: attempts, next_payment_attempt: next } = await latest();
      seen.push([status, attempts, ((next ?? 0) - renewal) / DAY]);
    }
    expect(seen).to.deep.equal([
      ['open', 1, 3],
      ['open', 2, 8],
      ['open', 3, 15],
    ]);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('past_due');
    passTo(renewal + 15 * DAY);
    const ended = await stripe.subscriptions.retrieve(id);
    expect([ended.status, ended.cancellation_details?.reason]).to.deep.equal(['canceled', 'payment_failed']);
    expect(ended.ended_at).to.equal(renewal + 15 * DAY);
    expect(await latest()).to.deep.include({
      status: 'open',
      attempt_count: 4,
      next_payment_attempt: null,
      auto_advance: false,
    });
    const all = await types();
    expect(all.filter((type) => type === 'invoice.payment_failed')).to.have.length(4);
    expect(all.at(-1)).to.equal('customer.subscription.deleted');
    const failed = await stripe.charges.list({ customer: String(ended.customer) });
    expect(failed.data.map(({ status, created }) => [status, (created - renewal) / DAY]).slice(0, 4)).to.deep.equal([
      ['failed', 15],
      ['failed', 8],
      ['failed', 3],
      ['failed', 0],
    ]);
  });

  it('does the same when all that time passes at once', async () => {
    passTo(renewal + 40 * DAY);
    const ended = await stripe.subscriptions.retrieve(id);
    expect([ended.status, ended.ended_at]).to.deep.equal(['canceled', renewal + 15 * DAY]);
    expect((await stripe.invoices.list({ subscription: id })).data).to.have.length(2);
  });

  it('is over when a retry finds a card that pays', async () => {
    passTo(renewal);
    await control(running, `subscriptions/${id}/card`, { card: '4242424242424242' });
    expect((await latest()).status).to.equal('open');
    passTo(renewal + 3 * DAY);
    expect(await latest()).to.deep.include({ status: 'paid', attempt_count: 2, amount_remaining: 0 });
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('active');
    const [event] = (await stripe.events.list({ type: 'customer.subscription.updated' })).data;
    expect(event?.data.previous_attributes).to.deep.equal({ status: 'past_due' });
  });

  it('is over when the invoice is paid by hand, which a failing card does not do', async () => {
    passTo(renewal);
    const { id: invoice } = await latest();
    expect(await refusal(stripe.invoices.pay(String(invoice)))).to.deep.equal({
      type: 'StripeCardError',
      statusCode: 402,
      code: 'card_declined',
      decline_code: 'generic_decline',
      param: undefined,
      message: 'Your card was declined.',
    });
    // What a person tries doesn't move the schedule.
    expect(await latest()).to.deep.include({ attempt_count: 1, next_payment_attempt: renewal + 3 * DAY });
    expect((await types()).filter((type) => type === 'invoice.payment_failed')).to.have.length(2);
    await control(running, `subscriptions/${id}/card`, { card: '4242424242424242' });
    const paid = await stripe.invoices.pay(String(invoice));
    expect(paid).to.deep.include({ status: 'paid', amount_paid: 1200, next_payment_attempt: null });
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('active');
    expect((await types()).slice(-3)).to.deep.equal([
      'customer.subscription.updated',
      'invoice.paid',
      'invoice.payment_succeeded',
    ]);
    expect((await refusal(stripe.invoices.pay(String(invoice)))).message).to.equal('Invoice is already paid');
  });

  it('takes another card for one payment, of the same customer only', async () => {
    const other = await subscribe(stripe);
    passTo(renewal);
    const invoice = String((await latest()).id);
    const foreign = stripe.invoices.pay(invoice, { payment_method: String(other.default_payment_method) });
    expect((await refusal(foreign)).code).to.equal('resource_missing');
    const { customer } = await stripe.subscriptions.retrieve(id);
    const { data } = await stripe.customers.listPaymentMethods(String(customer));
    const good = data.find(({ card }) => card?.last4 === '4242');
    const paid = await stripe.invoices.pay(invoice, { payment_method: String(good?.id) });
    expect(paid.status).to.equal('paid');
  });

  it('stops when the invoice is voided', async () => {
    passTo(renewal);
    const invoice = String((await latest()).id);
    expect(await stripe.invoices.voidInvoice(invoice)).to.deep.include({ status: 'void', next_payment_attempt: null });
    const { data } = await stripe.invoicePayments.list({ invoice });
    expect(data.map(({ status }) => status)).to.deep.equal(['canceled']);
    passTo(renewal + 20 * DAY);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('past_due');
    expect((await refusal(stripe.invoices.voidInvoice(invoice))).statusCode).to.equal(400);
  });

  it('leaves alone what the control made past due', async () => {
    await control(running, `subscriptions/${id}/status`, { status: 'past_due' });
    passTo(renewal - DAY);
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('past_due');
    await control(running, `subscriptions/${id}/status`, { status: 'active' });
    expect((await stripe.subscriptions.retrieve(id)).status).to.equal('active');
  });
});
