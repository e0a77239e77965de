import { Device } from './device.ts';
import { exhaust, OWN_PAGE, type Calls } from './openapi-calls.ts';

const REQUEST = {
  response_type: 'code',
  client_id: 'spoq-cli',
  redirect_uri: 'http://127.0.0.1:4567/callback',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
};
const form = (fields: Record<string, string>) => new URLSearchParams(fields);
const pathOf = (fields: Record<string, string>) => `/auth/cli?${form(fields)}`;

export const OAUTH_CALLS: Calls = {
  async showServerMetadata(send) {
    await send();
  },
  async exchangeGrant(send, { plane, browser, database }) {
    const { refresh_token: token } = await new Device(plane.url).signIn(browser);
    const grant = { grant_type: 'refresh_token', refresh_token: token, client_id: 'spoq-cli' };
    await send({ body: form(grant) });
    await send({ body: JSON.stringify(grant), headers: { 'content-type': 'application/json' } });
    await send({ body: form(grant), headers: { authorization: 'Basic c3BvcS1jbGk6c2VjcmV0' } });
    await send({ body: form({ ...grant, grant_type: 'password' }) });
    await exhaust(database, 'device-token:127.0.0.1');
    await send({ body: form(grant) });
  },
  async showCodeRequest(send, { browser, database }) {
    await send({ path: pathOf(REQUEST) });
    await send({ browser, path: pathOf(REQUEST) });
    await send({ browser, path: pathOf({ ...REQUEST, response_type: 'token' }) });
    await send({ browser, path: pathOf({ ...REQUEST, redirect_uri: 'https://evil.example/callback' }) });
    await send({ browser, path: pathOf({ ...REQUEST, client_id: 'evil' }), headers: { accept: 'text/html' } });
    await database.db('user_vps').delete();
    await send({ browser, path: pathOf(REQUEST) });
  },
  async decideCodeRequest(send, { browser, database }) {
    const body = form({ ...REQUEST, decision: 'approve' });
    await send({ body, headers: OWN_PAGE });
    await send({ browser, body });
    await send({ browser, body: form(REQUEST), headers: OWN_PAGE });
    await send({ browser, body: 'x', headers: { ...OWN_PAGE, 'content-type': 'text/plain' } });
    await send({ browser, body, headers: OWN_PAGE });
    await send({ browser, body: form({ ...REQUEST, decision: 'deny' }), headers: OWN_PAGE });
    await database.db('user_vps').delete();
    await send({ browser, body, headers: { 'sec-fetch-site': 'same-origin' } });
    await exhaust(database, 'authorize:127.0.0.1');
    await send({ browser, headers: OWN_PAGE });
  },
};
