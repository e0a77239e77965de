import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Stripe } from 'stripe';
import type { RunningVendor } from '../run-vendor.ts';
import { createPlan, runStripe, subscribe } from './testing.ts';

const PRICES = [0, 1, 333, 1200, 1999, 9900, 123_457];

interface Step {
  /** Tenths of a period that pass before. */
  pass: number;
  price: number;
  quantity: number;
  behavior: 'always_invoice' | 'create_prorations' | 'none';
  /** How far back the change counts from, in thousandths of the period that is gone. */
  back: number;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  pass: fc.integer({ min: 0, max: 7 }),
  price: fc.nat({ max: PRICES.length - 1 }),
  quantity: fc.integer({ min: 1, max: 3 }),
  behavior: fc.constantFrom('always_invoice', 'create_prorations', 'none'),
  back: fc.integer({ min: 0, max: 1000 }),
});

describe("the Stripe vendor's prorations, whatever is changed", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let prices: Stripe.Price[];
  const invoicesOf = async (id: string) => (await stripe.invoices.list({ subscription: id, limit: 100 })).data;

  it('bill what was previewed, and neither make nor lose a cent', async function () {
    this.timeout(120_000);
    await fc.assert(fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 4 }), runAfresh), { numRuns: 40 });
  });

  async function runAfresh(steps: Step[]): Promise<void> {
    ({ running, stripe } = await runStripe());
    try {
      prices = [];
      for (const amount of PRICES) prices.push(await createPlan(stripe, `Plan of ${amount}`, amount));
      await run(steps);
    } finally {
      await running.close();
    }
  }

  /** Walks through the steps beside a ledger of exact fractions, in cents. */
  async function run(steps: Step[]): Promise<void> {
    const { id, customer } = await subscribe(stripe);
    let exact = 1200;
    let rounded = 0;
    let seen = await itemOf(id);
    for (const step of [...steps, LAST]) {
      const upcoming = numbersOf(await stripe.invoices.createPreview({ subscription: id }));
      running.clock.advance((step.pass / 10) * (seen.current_period_end - seen.current_period_start) * 1000);
      const item = await itemOf(id);
      if (item.current_period_start !== seen.current_period_start) {
        expect(numbersOf((await invoicesOf(id))[0])).to.deep.equal(upcoming);
        exact += amountOf(item);
      }
      const date = pickDate(item, step.back, Math.floor(running.clock.now().getTime() / 1000));
      const details = {
        items: [{ id: item.id, price: String(prices[step.price]?.id), quantity: step.quantity }],
        proration_behavior: step.behavior,
        proration_date: date,
      };
      const preview = numbersOf(
        await stripe.invoices.createPreview({ subscription: id, subscription_details: details }),
      );
      const count = (await invoicesOf(id)).length;
      await stripe.subscriptions.update(id, details);
      const invoices = await invoicesOf(id);
      const came = invoices.length > count ? invoices[0] : await stripe.invoices.createPreview({ subscription: id });
      expect(numbersOf(came)).to.deep.equal(preview);
      seen = await itemOf(id);
      if (step.behavior !== 'none') {
        const share = (item.current_period_end - date) / (item.current_period_end - item.current_period_start);
        exact += (amountOf(seen) - amountOf(item)) * share;
        rounded += 2;
      }
    }
    running.clock.advance((seen.current_period_end - seen.current_period_start) * 1000);
    exact += amountOf(await itemOf(id));
    const invoices = await invoicesOf(id);
    const total = sum(invoices.map((one) => one.total));
    for (const one of invoices) {
      expect(sum(one.lines.data.map(({ amount }) => amount))).to.equal(one.total);
      expect(one.amount_due + (one.ending_balance ?? 0)).to.equal(one.total + one.starting_balance);
    }
    const { balance } = (await stripe.customers.retrieve(String(customer))) as Stripe.Customer;
    const charges = await stripe.charges.list({ customer: String(customer), limit: 100 });
    expect(sum(charges.data.map(({ amount }) => amount))).to.equal(sum(invoices.map((one) => one.amount_paid)));
    expect(sum(invoices.map((one) => one.amount_paid))).to.equal(total - balance);
    expect(faultsOf(invoices.flatMap((one) => one.lines.data))).to.deep.equal([]);
    // Each line is off by half a cent at most.
    expect(Math.abs(total - exact)).to.be.at.most(rounded / 2 + 1e-3);
  }

  async function itemOf(id: string): Promise<Stripe.SubscriptionItem> {
    const [item] = (await stripe.subscriptions.retrieve(id)).items.data;
    if (item === undefined) throw new Error(`${id} has no item`);
    return item;
  }
});

/** Ends each walk on a change that waits for the renewal. */
const LAST: Step = { pass: 1, price: 3, quantity: 1, behavior: 'create_prorations', back: 0 };

function pickDate(item: Stripe.SubscriptionItem, back: number, now: number): number {
  return now - Math.floor(((now - item.current_period_start) * back) / 1000);
}

function amountOf({ price, quantity }: Stripe.SubscriptionItem): number {
  return (price.unit_amount ?? 0) * (quantity ?? 1);
}

function numbersOf(invoice: Stripe.Invoice | undefined): object {
  if (invoice === undefined) throw new Error('no invoice');
  const { total, subtotal, amount_due: due, starting_balance: starting, ending_balance: ending, lines } = invoice;
  return {
    total,
    subtotal,
    due,
    starting,
    ending,
    reason: invoice.billing_reason,
    lines: lines.data.map(({ amount, description, period, quantity }) => ({ amount, description, period, quantity })),
  };
}

/** Prorations that are off by more than half a cent; how long a period is tells the line that paid for all of it. */
function faultsOf(lines: Stripe.InvoiceLineItem[]): string[] {
  const starts = new Map(lines.filter((one) => !isProration(one)).map(({ period }) => [period.end, period.start]));
  return lines.filter(isProration).flatMap(({ amount, period: { start, end }, quantity, pricing }) => {
    const whole = Number(pricing?.unit_amount_decimal) * (quantity ?? 1);
    const exact = (whole * (end - start)) / (end - (starts.get(end) ?? NaN));
    return Math.abs(Math.abs(amount) - exact) <= 0.5001 ? [] : [`${amount} instead of ${exact}`];
  });
}

function isProration({ parent }: Stripe.InvoiceLineItem): boolean {
  return parent?.type === 'invoice_item_details';
}

function sum(amounts: number[]): number {
  return amounts.reduce((total, amount) => total + amount, 0);
}
