import { GOOD_PASSWORD } from './box-world.ts';
import { exhaust, OWN_PAGE, type Calls } from './openapi-calls.ts';

const form = (fields: Record<string, string>) => new URLSearchParams(fields);

/** By operation id: requests to the page of a box that is there. */
export const ACCOUNT_CALLS: Calls = {
  async showAccount(send, { browser }) {
    await send({ browser });
    await send();
  },
  async showOperation(send, { browser, database }) {
    await send({ browser });
    await database.db('user_vps').update({ operation: 'restart' });
    await send({ browser });
  },
  async showDevices(send, { browser }) {
    await send({ browser });
    await send();
  },
  async signOutDevices(send, { browser, database, userId }) {
    const headers = OWN_PAGE;
    const body = form({ what: 'others' });
    await send({ browser, headers, body });
    await send({ browser, headers, body: form({ what: 'session', id: 'x' }) });
    await send({ browser, headers, body: form({ what: 'device', id: '00000000-0000-4000-8000-000000000000' }) });
    await send({ headers, body });
    await send({ browser, headers: { 'sec-fetch-site': 'same-site' }, body });
    await send({ browser, headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
    await exhaust(database, `operation:${userId}`);
    await send({ browser, headers, body });
  },
  async showDeletion(send, { browser }) {
    await send({ browser });
    await send();
  },
  async deleteAccount(send, { browser, database, userId }) {
    const headers = OWN_PAGE;
    const { username } = await database.db('users').where('id', userId).first('username');
    const body = form({ login: String(username) });
    await send({ browser, headers, body: form({ login: 'another' }) });
    await send({ browser, headers, body: form({ login: 'x'.repeat(100_000) }) });
    await send({ headers, body });
    await send({ browser, headers: { 'sec-fetch-site': 'same-site' }, body });
    await send({ browser, headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
    await exhaust(database, `operation:${userId}`);
    await send({ browser, headers, body });
    await database.db('rate_limits').delete();
    await send({ browser, headers, body });
    // The others go on with the same person.
    await database.db('users').update({ deletion_asked_at: null });
  },
  async showActivity(send, { browser }) {
    await send({ browser });
    await send({ browser, path: '/account/activity?before=x' });
    await send();
  },
  async downloadActivity(send, { browser, database, userId }) {
    await send({ browser });
    await send({ browser, path: '/account/activity.jsonl?before=1' });
    await send();
    await exhaust(database, `export:${userId}`);
    await send({ browser });
  },
  async showExport(send, { browser }) {
    await send({ browser });
    await send();
  },
  async exportAccount(send, { browser, database, userId }) {
    const headers = OWN_PAGE;
    const body = form({});
    await send({ browser, headers, body });
    await send({ browser, headers, body: form({ what: 'all' }) });
    await send({ browser, headers, body: form({ what: 'x'.repeat(100_000) }) });
    await send({ headers, body });
    await send({ browser, headers: { 'sec-fetch-site': 'same-site' }, body });
    await send({ browser, headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
    await exhaust(database, `export:${userId}`);
    await send({ browser, headers, body });
  },
  async previewOperation(send, { browser, database }) {
    await send({ browser, path: '/account/rebuild' });
    await send({ browser, path: '/account/dance' });
    await database.db('user_vps').update({ operation: 'restart' });
    await send({ browser, path: '/account/rebuild' });
  },
  async showPasswordChange(send, { browser, database }) {
    await send({ browser });
    await database.db('user_vps').update({ operation: 'restart' });
    await send({ browser });
  },
  async changePassword(send, { browser, database, userId }) {
    const headers = OWN_PAGE;
    const body = form({ password: GOOD_PASSWORD });
    await send({ browser, headers, body: form({ password: 'short' }) });
    await send({
      browser,
      headers: { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
      body: '{}',
    });
    await send({ headers, body });
    await send({ browser, headers: { 'sec-fetch-site': 'same-site' }, body });
    await send({ browser, headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
    for (let time = 0; time < 2; time += 1) await send({ browser, headers, body });
    await database.db('user_vps').delete();
    await send({ browser, headers, body });
    await exhaust(database, `password:${userId}`);
    await send({ browser, headers, body });
  },
  async beginOperation(send, { browser, database, userId }) {
    const path = '/account/rebuild';
    const headers = OWN_PAGE;
    const json = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' };
    await send({ browser, path, headers, body: form({ hostname: 'another' }) });
    await send({ browser, path, headers: json, body: '{"hostname": "another"}' });
    await send({ browser, path, headers: json, body: '{"hostname": 1}' });
    await send({ path, headers, body: form({}) });
    await send({ browser, path, headers: { 'sec-fetch-site': 'same-site' }, body: form({}) });
    await send({ browser, path, headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
    await send({ browser, path: '/account/dance', headers, body: form({}) });
    const { hostname } = await database.db('user_vps').first('hostname');
    const body = form({ hostname: String(hostname) });
    for (let time = 0; time < 2; time += 1) await send({ browser, path, headers, body });
    await send({ browser, path: '/account/restart', headers, body: form({}) });
    await database.db('user_vps').delete();
    await send({ browser, path, headers, body });
    await exhaust(database, `operation:${userId}`);
    await send({ browser, path, headers, body });
  },
};
