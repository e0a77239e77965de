import type { Calls } from './openapi-calls.ts';

export const SERVICE_CALLS: Calls = {
  async showHealth(send) {
    await send();
  },
  async showReadiness(send, { database }) {
    await send();
    await database.db.raw('ALTER TABLE users RENAME TO users_away');
    await send();
    await send({ headers: { accept: 'text/html' } });
    await database.db.raw('ALTER TABLE users_away RENAME TO users');
  },
  async showMetrics(send) {
    await send();
    await send({ headers: { authorization: 'Bearer wrong' } });
    await send({ headers: { authorization: 'Bearer metrics-token' } });
  },
  async showOpenApi(send) {
    await send();
  },
  async showConductorOpenApi(send) {
    await send();
  },
  async getAsset(send, { plane }) {
    for (const name of ['spoq.css', 'favicon.svg']) await send({ path: plane.deps.pages.assets.url(name) });
    await send({ path: '/assets/nothing.css' });
  },
  async getIcon(send) {
    await send();
  },
};
