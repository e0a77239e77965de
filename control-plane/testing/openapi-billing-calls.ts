import { hashToken, randomToken } from '../cipher.ts';
import { Browser } from './browser.ts';
import { exhaust, OWN_PAGE, type CallContext, type Calls } from './openapi-calls.ts';

const form = (fields: Record<string, string>) => new URLSearchParams(fields);

/** The person of these calls has a subscription at Stripe, and what is told of it arrives here as it would by a webhook. */
async function subscribe({ world, database, userId }: CallContext, status = 'active'): Promise<void> {
  const { sessionId } = await world.pay();
  const { stripe } = world.cp.deps;
  const session = await stripe.checkout.sessions.retrieve(sessionId);
  const facts = { stripe_subscription_id: String(session.subscription), stripe_customer_id: String(session.customer) };
  await database
    .db('checkouts')
    .where('stripe_session_id', sessionId)
    .update({ ...facts, status: 'bound', user_id: userId });
  await database.db('subscriptions').where('user_id', userId).del();
  const row = { ...facts, user_id: userId, status, plan: 'basic', expires_at: new Date(Date.now() + 86_400_000) };
  await database.db('subscriptions').insert(row);
}

/** What every write of a signed-in person can earn. */
async function refuseWrites(
  send: Parameters<Calls[string]>[0],
  { browser, database, userId }: CallContext,
): Promise<void> {
  await send({ headers: OWN_PAGE, body: form({}) });
  await send({ browser, headers: { 'sec-fetch-site': 'same-site' }, body: form({}) });
  await send({ browser, headers: { ...OWN_PAGE, 'content-type': 'text/plain' }, body: 'x' });
  await database.db('subscriptions').where('user_id', userId).del();
  await send({ browser, headers: OWN_PAGE, body: form({ plan: 'plus', proration_date: now() }) });
  await exhaust(database, `billing:${userId}`);
  await send({ browser, headers: OWN_PAGE, body: form({}) });
}

const now = () => String(Math.floor(Date.now() / 1000));

/** Another copy of a claim that is open. */
async function openClaim({ world, database }: CallContext): Promise<string> {
  const { browser, sessionId } = await world.pay();
  await browser.get(`/welcome?session_id=${sessionId}`);
  const token = randomToken();
  await database
    .db('checkouts')
    .where('stripe_session_id', sessionId)
    .update({ claim_hash: hashToken(token) });
  return token;
}

/** By operation id: requests to what is paid. */
export const BILLING_CALLS: Calls = {
  async showBilling(send, context) {
    await subscribe(context);
    await send({ browser: context.browser });
    await send();
  },
  async openPortal(send, context) {
    await subscribe(context);
    await send({ browser: context.browser, headers: OWN_PAGE, body: form({}) });
    await refuseWrites(send, context);
  },
  async previewEnd(send, context) {
    await subscribe(context);
    await send({ browser: context.browser });
    await subscribe(context, 'expired');
    await send({ browser: context.browser });
    await send();
  },
  async endSubscription(send, context) {
    await subscribe(context);
    await send({ browser: context.browser, headers: OWN_PAGE, body: form({}) });
    await subscribe(context, 'expired');
    await send({ browser: context.browser, headers: OWN_PAGE, body: form({}) });
    await refuseWrites(send, context);
  },
  async keepSubscription(send, context) {
    await subscribe(context);
    await send({ browser: context.browser, headers: OWN_PAGE, body: form({}) });
    await subscribe(context, 'expired');
    await send({ browser: context.browser, headers: OWN_PAGE, body: form({}) });
    await refuseWrites(send, context);
  },
  async previewPlan(send, context) {
    const { browser, database, userId } = context;
    await subscribe(context);
    await send({ browser, path: '/account/billing/plan?plan=plus' });
    await send({ browser, path: '/account/billing/plan?plan=basic' });
    await send({ browser, path: '/account/billing/plan?plan=huge' });
    await send({ path: '/account/billing/plan?plan=plus' });
    await database.db('subscriptions').where('user_id', userId).del();
    await send({ browser, path: '/account/billing/plan?plan=plus' });
    await exhaust(database, `billing:${userId}`);
    await send({ browser, path: '/account/billing/plan?plan=plus' });
  },
  async changePlan(send, context) {
    const { browser } = context;
    await subscribe(context);
    const headers = OWN_PAGE;
    await send({ browser, headers, body: form({ plan: 'plus', proration_date: now() }) });
    await send({ browser, headers, body: form({ plan: 'plus', proration_date: '1' }) });
    await send({ browser, headers, body: form({ plan: 'huge', proration_date: now() }) });
    await refuseWrites(send, context);
  },
  async showClaim(send, context) {
    await send({ path: `/claim/${await openClaim(context)}` });
    await send({ path: `/claim/${randomToken()}` });
    await exhaust(context.database, 'claim:127.0.0.1');
    await send({ path: `/claim/${randomToken()}` });
  },
  async claimPayment(send, context) {
    const browser = new Browser(context.world.cp.url);
    const headers = OWN_PAGE;
    await send({ browser, headers, path: `/claim/${await openClaim(context)}`, body: form({}) });
    await send({ browser, headers, path: `/claim/${randomToken()}`, body: form({}) });
    await send({
      browser,
      headers: { 'sec-fetch-site': 'cross-site' },
      path: `/claim/${randomToken()}`,
      body: form({}),
    });
    await exhaust(context.database, 'claim:127.0.0.1');
    await send({ browser, headers, path: `/claim/${randomToken()}`, body: form({}) });
  },
};
