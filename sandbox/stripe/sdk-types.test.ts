import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { control, createPlan, runStripe, subscribe } from './testing.ts';

/** The SDK's declaration of each kind of object that our cut-out of Stripe's document leaves out. */
const DECLARED = {
  payment_intent: ['PaymentIntents', 'PaymentIntent'],
  charge: ['Charges', 'Charge'],
  refund: ['Refunds', 'Refund'],
  dispute: ['Disputes', 'Dispute'],
  payment_method: ['PaymentMethods', 'PaymentMethod'],
  invoice_payment: ['InvoicePayments', 'InvoicePayment'],
  invoiceitem: ['InvoiceItems', 'InvoiceItem'],
  'test_helpers.test_clock': ['TestHelpers/TestClocks', 'TestClock'],
  'billing_portal.session': ['BillingPortal/Sessions', 'Session'],
} as const;
type Kind = keyof typeof DECLARED;

describe("the Stripe vendor's objects against the SDK's types", () => {
  it('have every field that is required', async () => {
    const { running, stripe } = await runStripe();
    try {
      const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 2_000_000_000 });
      const { id, customer, default_payment_method: method, latest_invoice: invoice, items } = await subscribe(stripe);
      const [payment] = (await stripe.invoicePayments.list({ invoice: String(invoice) })).data;
      const intent = await stripe.paymentIntents.retrieve(String(payment?.payment.payment_intent));
      const charge = String(intent.latest_charge);
      const plus = await createPlan(stripe, 'Plus', 2400);
      await stripe.subscriptions.update(id, { items: [{ id: String(items.data[0]?.id), price: plus.id }] });
      const [waiting] = (await stripe.events.list({ type: 'invoiceitem.created' })).data;
      const objects: Record<Kind, unknown> = {
        payment_intent: intent,
        refund: await stripe.refunds.create({ charge, amount: 1 }),
        dispute: await control(running, `charges/${charge}/dispute`),
        charge: await stripe.charges.retrieve(charge),
        payment_method: await stripe.paymentMethods.retrieve(String(method)),
        invoice_payment: payment,
        invoiceitem: waiting?.data.object,
        'test_helpers.test_clock': clock,
        'billing_portal.session': await stripe.billingPortal.sessions.create({ customer: String(customer) }),
      };
      const missing = (Object.keys(DECLARED) as Kind[]).flatMap((kind) =>
        readRequired(kind)
          .filter((field) => !(field in (objects[kind] as object)))
          .map((field) => `${kind}.${field}`),
      );
      expect(missing).to.deep.equal([]);
    } finally {
      await running.close();
    }
  });
});

/** The names without `?` in the declaration of an object. */
function readRequired(kind: Kind): string[] {
  const [file, name] = DECLARED[kind];
  const path = new URL(`../../node_modules/stripe/esm/resources/${file}.d.ts`, import.meta.url);
  const [, body = ''] =
    new RegExp(`export interface ${name} \\{([\\s\\S]*?)\\n\\}`).exec(readFileSync(path, 'utf8')) ?? [];
  const names = [...body.matchAll(/^ {4}(\w+): /gm)].map((match) => match[1] ?? '');
  if (names.length < 5) throw new Error(`${file}.d.ts declares no ${name}`);
  return names;
}
