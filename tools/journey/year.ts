import { toText } from './html.ts';
import { findForm } from './person.ts';
import { SIGN_UP } from './signup.ts';
import { check, type Step } from './story.ts';
import type { World } from './world.ts';
import {
  checkAnswers,
  checkMail,
  countMails,
  DAY_MS,
  dayOfYear,
  mailsSince,
  open,
  readMachine,
  readSubscription,
  setCard,
  subscribeAgain,
  theYear,
} from './year-world.ts';

/** A month of Basic, in cents. */
const PRICE = 1200;

/** A year of a subscriber's life, along a test clock of Stripe's. */
export const YEAR: readonly Step<World>[] = [
  ...SIGN_UP,
  {
    name: 'renewals',
    title: 'Three renewals, of which nobody hears',
    async run(world) {
      const { plane, began } = theYear();
      const mails = await countMails(world);
      await plane.passTo(new Date(began.getTime() + 95 * DAY_MS), 5);
      const { stripe_customer_id: customer, status } = await readSubscription();
      const { data } = await plane.stripe.invoices.list({ customer, status: 'paid' });
      check(status === 'active' && data.length === 4, `${status}, with ${data.length} paid invoices`);
      check((await mailsSince(world, mails)).length === 0, 'somebody was written to for nothing');
      await checkAnswers(world);
      return `${dayOfYear()}: ${data.length} invoices paid`;
    },
  },
  {
    name: 'payment_fails',
    title: 'A payment fails, and is told with the dates that matter',
    async run(world) {
      const { plane } = theYear();
      const mails = await countMails(world);
      await setCard(world, '4000000000000341');
      const { expires_at: renewal } = await readSubscription();
      await plane.passTo(new Date(renewal.getTime() + DAY_MS / 2), 5);
      const { status } = await readSubscription();
      check(status === 'past_due', `the subscription is ${status}`);
      checkMail(await mailsSince(world, mails), /did not go through/);
      const text = toText((await open(world, '/account')).html);
      const banner = /Your last payment has failed\. Your box is switched off on .*? and deleted on .*?\d{4}\./.exec(
        text,
      )?.[0];
      check(banner !== undefined, `no banner: ${text.slice(0, 300)}`);
      await checkAnswers(world);
      return `${dayOfYear()}: ${banner}`;
    },
  },
  {
    name: 'switched_off',
    title: 'Three days later the machine is switched off',
    async run(world) {
      const { plane } = theYear();
      const mails = await countMails(world);
      const { suspends_at: stops } = await readSubscription();
      await plane.passTo(stops);
      const { suspended_at: off, provider_instance_id: id } = await readMachine();
      check(off !== null, 'the box is on');
      const machine = (await plane.deps.engine.inventory(world.provider)).find(
        (one) => one.provider_instance_id === id,
      );
      check(machine?.state === 'stopped', `the vendor says ${machine?.state}`);
      checkMail(await mailsSince(world, mails), /is switched off/);
      return `${dayOfYear()}: the vendor says ${machine.state}`;
    },
  },
  {
    name: 'paid_again',
    title: 'Another card pays, and the same box is back',
    async run(world) {
      const { plane } = theYear();
      const before = await readMachine();
      await setCard(world, '4242424242424242');
      const { stripe_subscription_id: subscription } = await readSubscription();
      const { data } = await plane.stripe.invoices.list({ subscription, status: 'open' });
      const began = performance.now();
      for (const invoice of data) await plane.stripe.invoices.pay(String(invoice.id));
      await plane.settle();
      const after = await readMachine();
      check(
        after.suspended_at === null && after.provider_instance_id === before.provider_instance_id,
        'it is not back',
      );
      await checkAnswers(world);
      return `${dayOfYear()}: back after ${((performance.now() - began) / 1000).toFixed(1)} s, on the same machine`;
    },
  },
  {
    name: 'changed_mind',
    title: 'Ended and taken back, on the page',
    async run(world) {
      const { plane } = theYear();
      const mails = await countMails(world);
      const page = await open(world, '/account/billing/cancel');
      await world.person.submit(page, findForm(page, '/account/billing/cancel'));
      await plane.settle();
      const ending = await open(world, '/account/billing');
      check(/Your subscription ends on/.test(toText(ending.html)), 'no banner says that it ends');
      await world.person.submit(ending, findForm(ending, '/account/billing/keep'));
      await plane.settle();
      const told = await mailsSince(world, mails);
      checkMail(told, /will end/);
      checkMail(told, /goes on/);
      return `${dayOfYear()}: two mails, and it renews as before`;
    },
  },
  {
    name: 'lost_webhooks',
    title: 'Webhooks are lost for a month; the comparison finds what they would have told',
    async run(world) {
      const { plane } = theYear();
      const control = (path: string, method: string, body?: object) =>
        fetch(`${world.run.urls['stripe']}/_sandbox/${path}`, {
          method,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body ?? {}),
        });
      await control('webhooks/hold', 'POST', { held: true });
      const { expires_at: before } = await readSubscription();
      await plane.jumpTo(new Date(Math.max(before.getTime(), plane.now().getTime()) + DAY_MS));
      await control('deliveries/drop', 'POST');
      await control('webhooks/hold', 'POST', { held: false });
      check((await readSubscription()).expires_at.getTime() === before.getTime(), 'somebody has told all the same');
      await plane.compare();
      const { expires_at: after, status } = await readSubscription();
      check(after > before && status === 'active', `the comparison found nothing: ${status}`);
      return `${dayOfYear()}: the renewal was found`;
    },
  },
  {
    name: 'card_expires',
    title: 'A card that will have expired is told of before',
    async run(world) {
      const { plane } = theYear();
      const mails = await countMails(world);
      const now = plane.now();
      await setCard(world, '4242424242424242', { exp_month: now.getUTCMonth() + 1, exp_year: now.getUTCFullYear() });
      await plane.compare();
      checkMail(await mailsSince(world, mails), /card will have expired/);
      await setCard(world, '4242424242424242');
      return `${dayOfYear()}: one mail`;
    },
  },
  {
    name: 'comes_back',
    title: 'Ends it, and comes back within the grace period',
    async run(world) {
      const { plane } = theYear();
      const before = await readMachine();
      const page = await open(world, '/account/billing/cancel');
      await world.person.submit(page, findForm(page, '/account/billing/cancel'));
      await plane.settle();
      const { expires_at: end } = await readSubscription();
      await plane.passTo(new Date(end.getTime() + DAY_MS), 5);
      check((await readSubscription()).status === 'cancelled', 'it has not ended');
      await subscribeAgain(world);
      const after = await readMachine();
      check((await readSubscription()).status === 'active' && after.id === before.id, 'it is another box');
      await checkAnswers(world);
      return `${dayOfYear()}: the same box goes on`;
    },
  },
  {
    name: 'leaves',
    title: 'Ends it for good: warned three times, then deleted, as the vendor says',
    async run(world) {
      const { plane } = theYear();
      const { provider_instance_id: machineId } = await readMachine();
      const mails = await countMails(world);
      const { stripe_subscription_id: id } = await readSubscription();
      await plane.stripe.subscriptions.cancel(id);
      await plane.settle();
      const { grace_ends_at: ends } = await readSubscription();
      await plane.passTo(new Date(ends.getTime() - 1000));
      check((await readMachine()).status === 'ready', 'deleted inside the grace period');
      await plane.passTo(new Date(ends.getTime() + DAY_MS));
      check((await readMachine()).status === 'terminated', 'the box is there yet');
      const told = await mailsSince(world, mails);
      for (const subject of [/has ended/, /switched off/, /in 3 days/, /tomorrow/, /are deleted/])
        checkMail(told, subject);
      const machine = (await plane.deps.engine.inventory(world.provider)).find(
        (one) => one.provider_instance_id === machineId,
      );
      check(machine === undefined || machine.name.startsWith('released'), `the vendor still has ${machine?.name}`);
      return `${dayOfYear()}: ${told.length} mails; the vendor lists it as ${machine?.name ?? 'gone'}`;
    },
  },
  {
    name: 'new_box',
    title: 'Months later: a new subscription, and a new box',
    async run(world) {
      const { plane, began } = theYear();
      await plane.passTo(new Date(began.getTime() + 335 * DAY_MS), 20);
      const former = await readMachine();
      await subscribeAgain(world);
      const page = await open(world, '/setup/region');
      const region = findForm(page, '/api/vps/provision').fields['region'];
      await world.person.sendJson(`${world.run.baseUrl}/api/vps/provision`, { region });
      await plane.settle();
      const box = await readMachine();
      check(box.status === 'ready' && box.id !== former.id, `the box is ${box.status}`);
      await checkAnswers(world);
      return `${dayOfYear()}: ready`;
    },
  },
  {
    name: 'accounts',
    title: 'At the end of the year every cent has had a box',
    async run() {
      const { plane, began } = theYear();
      await plane.passTo(new Date(began.getTime() + 365 * DAY_MS), 5);
      const { stripe_customer_id: customer } = await readSubscription();
      const { data } = await plane.stripe.invoices.list({ customer, status: 'paid', limit: 100 });
      const paid = data.reduce((sum, invoice) => sum + invoice.amount_paid, 0);
      check(paid === data.length * PRICE, `${paid} cents in ${data.length} invoices`);
      const open = await plane.deps.db('settlements').whereNull('done_at');
      check(open.length === 0, `${open.length} promises are not kept`);
      const states = await plane.deps
        .db('audit_log')
        .where('action', 'like', 'subscription.%')
        .orderBy('id')
        .select('action');
      return `${dayOfYear()}: ${data.length} invoices, $${paid / 100}; ${states.map(({ action }) => String(action).slice(13)).join(', ')}`;
    },
  },
];
