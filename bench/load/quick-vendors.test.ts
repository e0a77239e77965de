import { expect } from 'chai';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { createQuickVendors, FIRST_PERIOD_END } from './quick-vendors.ts';

describe('vendors that cost nothing', () => {
  const server = createQuickVendors();
  let url = '';
  before(async () => {
    ({ url } = await listenOnFreePort(server));
  });
  after(() => closeServer(server));

  const ask = async (path: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}${path}`, init);
    expect(response.status, path).to.equal(200);
    return (await response.json()) as Record<string, unknown>;
  };

  it("know a checkout's session and subscription by its id alone", async () => {
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
    const body = new URLSearchParams({ client_reference_id: id });
    const made = await ask('/v1/checkout/sessions', { method: 'POST', body });
    expect(await ask(`/v1/checkout/sessions/${made['id']}`)).to.deep.equal(made);
    expect(made['client_reference_id']).to.equal(id);
    const subscription = await ask(`/v1/subscriptions/${made['subscription']}`);
    expect(subscription['metadata']).to.deep.equal({ checkout_id: id, plan: 'basic' });
  });

  it('tell how often a subscription was read', async () => {
    const ends: unknown[] = [];
    for (let count = 0; count < 2; count++) {
      const { items } = (await ask('/v1/subscriptions/sub_1')) as { items: { data: { current_period_end: number }[] } };
      ends.push(items.data[0]?.current_period_end);
    }
    expect(ends).to.deep.equal([FIRST_PERIOD_END + 1, FIRST_PERIOD_END + 2]);
  });

  it('take everybody for who their code says', async () => {
    const body = new URLSearchParams({ code: 'quick17' });
    const { access_token: token } = await ask('/login/oauth/access_token', { method: 'POST', body });
    const person = await ask('/user', { headers: { authorization: `Bearer ${token}` } });
    expect(person).to.include({ id: 17, login: 'quick17', email: 'quick17@example.com' });
    expect((await fetch(`${url}/v1/refunds`)).status).to.equal(404);
  });
});
