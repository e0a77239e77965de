import { Stripe } from 'stripe';
import { openBootToken } from '../commands/open-boot-token.ts';
import { GOOD_PASSWORD } from './box-world.ts';
import type { Browser } from './browser.ts';
import { exhaust, OWN_PAGE, type CallContext, type Calls, type Send } from './openapi-calls.ts';

const form = (fields: Record<string, string>) => new URLSearchParams(fields);
const JSON_PAGE = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
const STREAM = { accept: 'text/event-stream' };

/** What every form of a page is refused for: another site, another content type, a field that is missing, too often. */
async function sendFaults(
  send: Send,
  context: CallContext,
  browser: Browser | undefined,
  limit: string,
): Promise<void> {
  const sender = browser === undefined ? {} : { browser };
  await send({ ...sender, body: form({}), headers: { 'sec-fetch-site': 'same-site' } });
  await send({ ...sender, body: 'x', headers: { ...OWN_PAGE, 'content-type': 'text/plain' } });
  await send({ ...sender, body: '{"plan": 1, "region": 1, "password": 1}', headers: JSON_PAGE });
  await exhaust(context.database, limit);
  await send({ ...sender, body: form({}), headers: OWN_PAGE });
}

/** The page of one step: for who stands there, and for a stranger, who is sent to where their sign-up begins. */
const setupPage =
  (who: (context: CallContext) => Promise<Browser>): Calls[string] =>
  async (send, context) => {
    await send({ browser: await who(context) });
    await send();
  };

const boxOf = (status: string) => async (context: CallContext) => {
  await context.database.db('user_vps').update({ status });
  return context.browser;
};

export const BOX_CALLS: Calls = {
  async showHome(send, { browser }) {
    await send();
    await send({ browser });
  },
  async listProblems(send) {
    await send();
  },
  async createSubscription(send, context) {
    const { world } = context;
    const body = form({ plan: 'basic' });
    await send({ body, headers: OWN_PAGE });
    await send({ body: '{"plan":"basic"}', headers: JSON_PAGE });
    const { browser } = await world.becomeReady('payer');
    await send({ browser, body, headers: OWN_PAGE });
    await send({ browser, body: '{"plan":"basic"}', headers: JSON_PAGE });
    const fault = world.stripe.faults.add({ vendor: 'stripe', status: 500, times: 0 });
    await send({ body, headers: OWN_PAGE });
    world.stripe.faults.remove(fault.id);
    await sendFaults(send, context, undefined, 'checkout:127.0.0.1');
  },
  async showWelcome(send, { world }) {
    await send();
    await send({ path: '/welcome?session_id=cs_test_nothing', headers: { accept: 'text/html' } });
    const { browser, sessionId } = await world.pay();
    await send({ browser, path: `/welcome?session_id=${sessionId}` });
  },
  async receiveStripeEvent(send, { plane }) {
    const body = JSON.stringify({ id: 'evt_1', type: 'plan.created', created: 1, data: { object: { id: 'plan_1' } } });
    const secret = plane.deps.config.STRIPE_WEBHOOK_SECRET.reveal();
    const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret });
    const headers = { 'stripe-signature': signature, 'content-type': 'application/json' };
    await send({ body, headers });
    await send({ body, headers });
    await send({ body: `${body} `, headers });
    await send({ body: 'x'.repeat(1_100_000), headers });
  },
  async continueSetup(send, context) {
    await send();
    await send({ browser: context.browser });
    const { world } = context;
    const { browser, sessionId } = await world.pay();
    await browser.get(`/welcome?session_id=${sessionId}`);
    const fault = world.stripe.faults.add({ vendor: 'stripe', status: 500, times: 0 });
    const begun = await browser.get('/auth/github');
    await browser.get(world.github.decide(begun.location ?? ''));
    await send({ browser });
    world.stripe.faults.remove(fault.id);
    await send({ browser });
  },
  showPasswordForm: setupPage(async ({ world }) => (await world.becomeReady('chooser')).browser),
  async setPassword(send, context) {
    const { browser, userId } = await context.world.becomeReady('changer');
    await send({ browser, body: form({ password: GOOD_PASSWORD }), headers: OWN_PAGE });
    await send({ browser, body: form({ password: 'short' }), headers: OWN_PAGE });
    await send({ browser, body: '{"password":"short"}', headers: JSON_PAGE });
    await send({ body: form({ password: GOOD_PASSWORD }), headers: OWN_PAGE });
    await sendFaults(send, context, browser, `password:${userId}`);
  },
  showRegions: setupPage(async ({ world }) => (await world.becomeReady('traveller')).browser),
  showProgress: setupPage(boxOf('provisioning')),
  showCredentials: setupPage(boxOf('ready')),
  async provisionBox(send, context) {
    const { world, database } = context;
    const { browser, userId } = await world.becomeReady('asker');
    await send({ browser, body: '{}', headers: JSON_PAGE });
    await send({ browser, body: form({ region: 'EU' }), headers: OWN_PAGE });
    await database.db('user_vps').where('user_id', userId).delete();
    await database.db('ssh_passwords').where('user_id', userId).delete();
    await send({ browser, body: '{}', headers: JSON_PAGE });
    await database.db('subscriptions').where('user_id', userId).delete();
    await send({ browser, body: '{}', headers: JSON_PAGE });
    await send({ body: '{}', headers: JSON_PAGE });
    await sendFaults(send, context, browser, `provision:${userId}`);
  },
  async showBox(send, { browser, database, plane }) {
    await send();
    await send({ browser });
    await send({ browser, headers: STREAM });
    await database.db('user_vps').update({ status: 'provisioning' });
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    const tabs = new AbortController();
    const open = () => fetch(`${plane.url}/api/vps/status`, { headers: { ...STREAM, cookie }, signal: tabs.signal });
    await Promise.all(Array.from({ length: 8 }, open));
    await send({ browser, headers: STREAM });
    tabs.abort();
    await database.db('user_vps').delete();
    await send({ browser });
  },
  async reportBoot(send, { database, plane }) {
    const { id } = await database.db('user_vps').first('id');
    const headers = { authorization: `Bearer ${await openBootToken(plane.deps, { id, fence: '0' })}` };
    await send({ body: form({ step: 'packages', state: 'started' }), headers });
    await send({ body: '{"step":"packages"}', headers: { ...headers, 'content-type': 'application/json' } });
    await send({ body: form({ step: 'packages', state: 'done' }) });
    await send({ body: form({ step: 'packages', state: 'done' }), headers: { authorization: 'Bearer wrong' } });
    await send({ body: form({ log: 'x'.repeat(17_000) }), headers });
    await send({ body: 'x', headers: { ...headers, 'content-type': 'text/plain' } });
    await exhaust(database, 'boot-report:127.0.0.1');
    await send({ body: form({}), headers });
  },
};
