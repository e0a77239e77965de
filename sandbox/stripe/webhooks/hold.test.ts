import { expect } from 'chai';
import type { Stripe } from 'stripe';
import { waitFor } from '../../../test/harness/wait.ts';
import type { RunningVendor } from '../../run-vendor.ts';
import type { Delivery } from '../state.ts';
import { control, receiveWebhooks, runStripe, type Receiver } from '../testing.ts';

describe("the Stripe vendor's webhooks, held", () => {
  let running: RunningVendor;
  let stripe: Stripe;
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await receiveWebhooks();
    ({ running, stripe } = await runStripe({ webhook: { url: receiver.url } }));
  });
  afterEach(async () => {
    await running.close();
    await receiver.close();
  });

  const emails = () =>
    receiver.received.map(({ body }) => (JSON.parse(body) as { data: { object: Stripe.Customer } }).data.object.email);

  it('go out once they are let go, and those that were dropped never', async () => {
    await control(running, 'webhooks/hold', { held: true });
    await stripe.customers.create({ email: 'lost@example.com' });
    const dropped = (await control(running, 'deliveries/drop')) as Delivery[];
    expect(dropped.map(({ event_type: type, state }) => [type, state])).to.deep.equal([['customer.created', 'failed']]);
    await stripe.customers.create({ email: 'late@example.com' });
    expect((await stripe.events.list()).data).to.have.length(2);
    expect(emails()).to.deep.equal([]);
    await control(running, 'webhooks/hold', { held: false });
    await waitFor('the delivery', () => receiver.received.length > 0);
    await stripe.customers.create({ email: 'next@example.com' });
    await waitFor('the next one', () => receiver.received.length > 1);
    expect(emails()).to.deep.equal(['late@example.com', 'next@example.com']);
  });
});
