import { startTimedPlane, type TimedPlane } from '../../test/harness/timed-plane.ts';
import type { TemporaryRun } from '../temporary-run.ts';
import { findForm, type Page } from './person.ts';
import { check } from './story.ts';
import { getFromBox, type World } from './world.ts';

export const DAY_MS = 86_400_000;

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

export function theYear(): Year {
  if (year === undefined) throw new Error('the year has not begun');
  return year;
}

interface Mail {
  subject: string;
  text: string;
}

export async function mailsSince(world: World, known: number): Promise<Mail[]> {
  return ((await world.sandbox('/mails')) as Mail[]).toReversed().slice(known);
}

export async function countMails(world: World): Promise<number> {
  return ((await world.sandbox('/mails')) as Mail[]).length;
}

export async function readSubscription() {
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

export async function readMachine(): Promise<{
  id: string;
  suspended_at: Date | null;
  provider_instance_id: string;
  status: string;
}> {
  return theYear().plane.deps.db('user_vps').orderBy('created_at', 'desc').first();
}

/** A page of whoever is signed in; a browser that was away for a month signs in again. */
export async function open(world: World, path: string): Promise<Page> {
  const page = await world.person.get(`${world.run.baseUrl}${path}`);
  if (page.html.includes('action="/auth/sign-out"')) return page;
  const authorize = await world.person.get(`${world.run.baseUrl}/auth/github?return_to=${encodeURIComponent(path)}`);
  return world.person.submit(authorize, findForm(authorize, /^$|authorize/), { login: world.login });
}

export async function setCard(
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

export function checkMail(mails: Mail[], subject: RegExp): void {
  check(
    mails.some((mail) => subject.test(mail.subject)),
    `no mail says ${subject}: ${mails.map((mail) => mail.subject).join('; ')}`,
  );
}

export const dayOfYear = (): string => {
  const { plane, began } = theYear();
  return `day ${Math.round((plane.now().getTime() - began.getTime()) / DAY_MS)}`;
};

export async function checkAnswers(world: World): Promise<void> {
  const url = (world.run.environment['BOX_URL_TEMPLATE'] ?? '').replace('{hostname}', world.hostname);
  const { status } = await getFromBox(`${url}/health`, world.run.environment['NODE_EXTRA_CA_CERTS']);
  check(status === 200, `${url}/health answered ${status}`);
}

export async function subscribeAgain(world: World): Promise<void> {
  const page = await open(world, '/account/billing');
  const pay = await world.person.submit(page, findForm(page, '/api/subscription/create'), { plan: 'basic' });
  await world.person.submit(pay, findForm(pay, /^$|pay/));
  await theYear().plane.settle();
}
