import { Browser } from './browser.ts';
import { Device } from './device.ts';
import { OAUTH_CALLS } from './openapi-oauth-calls.ts';
import { exhaust, OWN_PAGE, type CallContext, type Calls, type Send } from './openapi-calls.ts';

const form = (fields: Record<string, string>) => new URLSearchParams(fields);
const json = (value: unknown) => ({ body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

async function beginGrant({ plane }: CallContext, decision?: string, browser?: Browser) {
  const begun = await new Device(plane.url).begin();
  if (decision !== undefined) await browser?.post('/auth/authorize', { code: begun.user_code, decision });
  return begun;
}

async function getTokens(context: CallContext) {
  const begun = await beginGrant(context, 'approve', context.browser);
  return (await new Device(context.plane.url).poll(begun.device_code)).body;
}

/** A browser that stands before the callback, and the address that GitHub sends it to. */
async function beginSignIn({ plane, github }: CallContext, decision: 'allow' | 'deny' = 'allow') {
  const browser = new Browser(plane.url);
  const begun = await browser.get('/auth/github');
  return { browser, path: github.decide(begun.location ?? '', decision) };
}

/** Every OAuth endpoint refuses garbage and too much in the same way. */
async function sendOAuthFaults(send: Send, { database }: CallContext, limit: string): Promise<void> {
  await send();
  await send({ body: 'x', headers: { 'content-type': 'text/plain' } });
  await exhaust(database, `${limit}:127.0.0.1`);
  await send({ body: form({}) });
}

export const IDENTITY_CALLS: Calls = {
  async beginSignIn(send, { database }) {
    await send();
    await send({ path: '/auth/github?return_to=//evil.example' });
    await send({ path: '/auth/github?return_to=//evil.example', headers: { accept: 'text/html' } });
    await exhaust(database, 'sign-in:127.0.0.1');
    await send();
  },
  async finishSignIn(send, context) {
    await send();
    await send(await beginSignIn(context));
    await send(await beginSignIn(context, 'deny'));
    const failing = await beginSignIn(context);
    context.github.script.faults['/user'] = { status: 500, body: '' };
    await send(failing);
    context.github.script.faults = {};
    await exhaust(context.database, 'sign-in:127.0.0.1');
    await send({ headers: { accept: 'text/html' } });
  },
  async signOut(send, { plane }) {
    await send({ headers: { 'sec-fetch-site': 'same-site' } });
    await send({ browser: await plane.signIn(), headers: OWN_PAGE });
  },
  async beginDeviceGrant(send, context) {
    await send({ body: form({ client_id: 'spoq-cli', hostname: 'laptop' }) });
    await send(json({ client_id: 'spoq-cli' }));
    await send({ body: form({ client_id: 'evil' }) });
    await sendOAuthFaults(send, context, 'device');
  },
  async showDevice(send, context) {
    const { browser, database } = context;
    const { user_code: code } = await beginGrant(context);
    await send();
    await send({ browser });
    await send({ browser, path: `/auth/verify?code=${code}` });
    await send({ browser, path: '/auth/verify?code=abacus-ablaze-zoom' });
    await exhaust(database, `wrong-code-user:${context.userId}`);
    await send({ browser, path: `/auth/verify?code=${code}` });
    await database.db('user_vps').delete();
    await send({ browser });
  },
  async decideDevice(send, context) {
    const { browser, database } = context;
    for (const decision of ['approve', 'deny']) {
      const { user_code: code } = await beginGrant(context);
      const body = form({ code, decision });
      await send({ body, headers: OWN_PAGE });
      await send({ browser, body });
      await send({ browser, body: form({ code }), headers: OWN_PAGE });
      await send({ browser, body: 'x', headers: { ...OWN_PAGE, 'content-type': 'text/plain' } });
      await send({ browser, body, headers: OWN_PAGE });
      await send({ browser, body, headers: OWN_PAGE });
    }
    const { user_code: code } = await beginGrant(context);
    await database.db('user_vps').delete();
    await send({ browser, body: form({ code, decision: 'approve' }), headers: { 'sec-fetch-site': 'same-origin' } });
    await exhaust(database, 'authorize:127.0.0.1');
    await send({ browser, headers: OWN_PAGE });
  },
  async pollDeviceGrant(send, context) {
    const poll = (deviceCode: string) =>
      send({ body: form({ grant_type: DEVICE_GRANT, device_code: deviceCode, client_id: 'spoq-cli' }) });
    const pending = await beginGrant(context);
    await poll(pending.device_code);
    await poll(pending.device_code);
    await poll((await beginGrant(context, 'deny', context.browser)).device_code);
    const approved = await beginGrant(context, 'approve', context.browser);
    await poll(approved.device_code);
    await poll(approved.device_code);
    await send({ body: form({ grant_type: 'password', device_code: 'x', client_id: 'spoq-cli' }) });
    await sendOAuthFaults(send, context, 'device-token');
  },
  async refreshTokens(send, context) {
    const { refresh_token: token } = await getTokens(context);
    await send({ body: form({ refresh_token: token }) });
    await send(json({ refresh_token: token }));
    await send({ body: form({ refresh_token: 'spoq_unknown' }) });
    await sendOAuthFaults(send, context, 'refresh');
  },
  async revokeTokens(send, context) {
    const { refresh_token: token } = await getTokens(context);
    await send({ body: form({ token }) });
    await send(json({ token: 'unknown' }));
    await sendOAuthFaults(send, context, 'refresh');
  },
  async listKeys(send) {
    const answer = await send();
    await send({ headers: { 'if-none-match': answer.headers.get('etag') ?? '' } });
  },
  async listRevocations(send, { database }) {
    const { hostname } = await database.db('user_vps').first('hostname');
    await send({ path: `/.well-known/revocations/${hostname}.jwt` });
    await send({ path: '/.well-known/revocations/nobody.spoq.localhost.jwt' });
    await send({ path: '/.well-known/revocations/nobody', headers: { accept: 'text/html' } });
  },
  ...OAUTH_CALLS,
};
