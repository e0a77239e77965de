import { startTimedPlane, type TimedPlane } from '../../test/harness/timed-plane.ts';
import type { TemporaryRun } from '../temporary-run.ts';
import { toText } from './html.ts';
import { findForm, type Page } from './person.ts';
import { SIGN_UP } from './signup.ts';
import { check, type Step } from './story.ts';
import { getFromBox, type World } from './world.ts';

const DAY_MS = 86_400_000;
const PRICE = 1200;

interface Year {
  plane: TimedPlane;
  began: Date;
}

/** One year at a time: a story is played by itself. */
let year: Year | undefined;

/** Begins the year: control plane and worker live by Stripe's test clock from here on. */
export async function beginYear(run: TemporaryRun): Promise<() => Promise<void>> {
  const plane = await startTimedPlane(run);
  year = { plane, began: plane.now() };
  return () => plane.close();
}

function theYear(): Year {
  if (year === undefined) throw new Error('the year has not begun');
  return year;
}

interface Mail {
  subject: string;
  text: string;
}

async function mailsSince(world: World, known: number): Promise<Mail[]> {
  return ((await world.sandbox('/mails')) as Mail[]).toReversed().slice(known);
}

async function countMails(world: World): Promise<number> {
  return ((await world.sandbox('/mails')) as Mail[]).length;
}

async function readSubscription() {
  const { deps } = theYear().plane;
  const row = await deps.db('subscriptions').first();
  return row as {
    status: string;
    user_id: string;
    stripe_subscription_id: string;
    stripe_customer_id: string;
    expires_at: Date;
    grace_ends_at: Date;
    suspends_at: Date;
  };
}

async function readMachine(): Promise<{
  id: string;
  suspended_at: Date | null;
  provider_instance_id: string;
  status: string;
}> {
  return theYear().plane.deps.db('user_vps').orderBy('created_at', 'desc').first();
}

/** A page of whoever is signed in; a browser that was away for a month signs in again. */
async function open(world: World, path: string): Promise<Page> {
  const page = await world.person.get(`${world.run.baseUrl}${path}`);
  if (page.html.includes('action="/auth/sign-out"')) return page;
  const authorize = await world.person.get(`${world.run.baseUrl}/auth/github?return_to=${encodeURIComponent(path)}`);
  return world.person.submit(authorize, findForm(authorize, /^$|authorize/), { login: world.login });
}

async function setCard(
  world: World,
  card: string,
  expiry: { exp_month: number; exp_year: number } = { exp_month: 12, exp_year: 2034 },
): Promise<void> {
  const { stripe_subscription_id: id } = await readSubscription();
  const url = `${world.run.urls['stripe']}/_sandbox/subscriptions/${id}/card`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ card, ...expiry }),
  });
  check(answer.ok, `the card could not be changed: ${answer.status} ${await answer.text()}`);
}

function checkMail(mails: Mail[], subject: RegExp): void {
  check(
    mails.some((mail) => subject.test(mail.subject)),
    `no mail says ${subject}: ${mails.map((mail) => mail.subject).join('; ')}`,
  );
}

const dayOfYear = (): string => {
  const { plane, began } = theYear();
  return `day ${Math.round((plane.now().getTime() - began.getTime()) / DAY_MS)}`;
};

async function checkAnswers(world: World): Promise<void> {
  const url = (world.run.environment['BOX_URL_TEMPLATE'] ?? '').replace('{hostname}', world.hostname);
  const { status } = await getFromBox(`${url}/health`, world.run.environment['NODE_EXTRA_CA_CERTS']);
  check(status === 200, `${url}/health answered ${status}`);
}

async function subscribeAgain(world: World): Promise<void> {
  const page = await open(world, '/account/billing');
  const pay = await world.person.submit(page, findForm(page, '/api/subscription/create'), { plan: 'basic' });
  await world.person.submit(pay, findForm(pay, /^$|pay/));
  await theYear().plane.settle();
}

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
