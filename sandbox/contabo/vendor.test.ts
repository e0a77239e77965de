import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import type { Sandbox } from '../index.ts';
import { type Answer, type Call, makeFolder, makeUserData, signInContabo, startSandbox } from '../testing/fixtures.ts';

const DAY_MS = 86_400_000;

interface Shown {
  instanceId: number;
  displayName: string;
  status: string;
  cancelDate: string | null;
  ipConfig: { v4: { ip: string } };
  errorMessage?: string;
}

describe('the Contabo vendor', () => {
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let call: Call;
  beforeEach(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder, { vendors: ['contabo'] });
    call = await signInContabo(sandbox);
  });
  afterEach(async () => {
    await sandbox.close();
    place.remove();
  });

  const first = ({ body }: Answer): Shown => {
    const [shown] = (body as { data: Shown[] }).data;
    if (!shown) throw new Error(`There is nothing in ${JSON.stringify(body)}`);
    return shown;
  };
  const order = async (fields: object = {}): Promise<number> =>
    first(await call('POST', '/v1/compute/instances', { period: 1, displayName: 'box-1', ...fields })).instanceId;
  const get = async (id: number): Promise<Shown> => first(await call('GET', `/v1/compute/instances/${id}`));
  const names = async (query: string): Promise<string[]> =>
    ((await call('GET', `/v1/compute/instances${query}`)).body as { data: Shown[] }).data.map((one) => one.displayName);

  it('gives JWT-shaped tokens for client credentials in the form or as HTTP Basic, and refreshes them', async () => {
    const { credentials } = sandbox;
    const ask = async (form: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> => {
      const url = credentials['CONTABO_AUTH_URL'] ?? '';
      const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers });
      return { status: answer.status, body: await answer.json() };
    };
    const user = {
      username: credentials['CONTABO_API_USER'] ?? '',
      password: credentials['CONTABO_API_PASSWORD'] ?? '',
    };
    const client = {
      client_id: credentials['CONTABO_CLIENT_ID'] ?? '',
      client_secret: credentials['CONTABO_CLIENT_SECRET'] ?? '',
    };
    const basic = { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` };
    const { status, body } = await ask({ grant_type: 'password', ...user }, basic);
    const tokens = body as { access_token: string; refresh_token: string };
    const claims = JSON.parse(atob(tokens.access_token.split('.')[1] ?? '')) as object;
    expect(status).to.equal(200);
    expect(claims).to.include({ preferred_username: user.username, customerId: '54321', tenantId: 'INT' });
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await ask({ ...refresh, ...client })).status).to.equal(200);
    expect(await ask({ grant_type: 'password', ...user, ...client, client_secret: 'wrong' })).to.deep.equal({
      status: 401,
      body: { error: 'invalid_client', error_description: 'Invalid client or Invalid client credentials' },
    });
    expect(await ask({ grant_type: 'password', ...client, ...user, password: 'wrong' })).to.deep.equal({
      status: 401,
      body: { error: 'invalid_grant', error_description: 'Invalid user credentials' },
    });
    sandbox.clock.advance(DAY_MS);
    expect((await ask({ ...refresh, ...client })).status).to.equal(400);
    expect(await call('GET', '/v1/compute/instances')).to.deep.equal({
      status: 401,
      body: { statusCode: 401, message: 'Unauthorized' },
    });
  });

  it('wants a request id that is a UUID on every call', async () => {
    const url = `${sandbox.credentials['CONTABO_API_URL']}/v1/compute/instances`;
    await call('GET', '/v1/compute/images');
    const form = {
      grant_type: 'password',
      client_id: sandbox.credentials['CONTABO_CLIENT_ID'] ?? '',
      client_secret: sandbox.credentials['CONTABO_CLIENT_SECRET'] ?? '',
      username: sandbox.credentials['CONTABO_API_USER'] ?? '',
      password: sandbox.credentials['CONTABO_API_PASSWORD'] ?? '',
    };
    const token = (
      (await (
        await fetch(sandbox.credentials['CONTABO_AUTH_URL'] ?? '', { method: 'POST', body: new URLSearchParams(form) })
      ).json()) as { access_token: string }
    ).access_token;
    const headers = { authorization: `Bearer ${token}` };
    const refused = await fetch(url, { headers });
    expect([refused.status, await refused.json()]).to.deep.equal([
      400,
      { statusCode: 400, message: ['x-request-id must be a UUID'] },
    ]);
    expect((await fetch(url, { headers: { ...headers, 'x-request-id': randomUUID() } })).status).to.equal(200);
  });

  it('names all faults of an order at once', async () => {
    const wrong = {
      imageId: 'ubuntu',
      displayName: 'alice.spoq.dev',
      region: 'MOON',
      productId: 'V1',
      sshKeys: [7],
      rootPassword: 'secret',
      userData: 1,
      defaultUser: 'me',
    };
    const { status, body } = await call('POST', '/v1/compute/instances', wrong);
    expect(status).to.equal(400);
    expect((body as { message: string[] }).message.map((sentence) => sentence.split(' ')[0])).to.deep.equal([
      'period',
      'period',
      'imageId',
      'userData',
      'rootPassword',
      'sshKeys',
      'defaultUser',
      'productId',
      'region',
      'Only',
    ]);
    expect(await names('')).to.deep.equal([]);
  });

  it('answers an order without name and address, then provisions, installs and runs', async () => {
    Object.assign(sandbox.delays, { provisioning_ms: 60_000, installing_ms: 60_000, address_ms: 60_000 });
    const made = (
      await call('POST', '/v1/compute/instances', { period: 1, displayName: 'box-1', userData: makeUserData() })
    ).body as { data: object[] };
    expect(made.data[0])
      .to.include({ status: 'provisioning', productId: 'V153', region: 'EU' })
      .and.not.to.have.any.keys('ipConfig', 'displayName', 'name');
    const { instanceId } = made.data[0] as Shown;
    const seen: string[] = [];
    for (let step = 0; step < 4; step += 1) {
      const { status, ipConfig } = await get(instanceId);
      seen.push(`${status} ${ipConfig.v4.ip}`);
      sandbox.clock.advance(60_000);
      call = await signInContabo(sandbox);
    }
    expect(seen).to.deep.equal(['provisioning ', 'installing ', 'running ', 'running 198.51.100.10']);
    await waitFor('the conductor', () => sandbox.machines.findFront('198.51.100.10') ?? undefined);
    expect(JSON.stringify(sandbox.state('contabo'))).not.to.include('cloud-config');
  });

  it('buys one more with every order, finds by exact name, and ignores filters it does not know', async () => {
    for (const displayName of ['box-1', 'box-1', 'box-10']) await order({ displayName });
    expect(await names('?displayName=box-1')).to.deep.equal(['box-1', 'box-1']);
    expect(await names('?display_name=box-1')).to.deep.equal(['box-1', 'box-1', 'box-10']);
    expect(await names('?displayName=box')).to.deep.equal([]);
    for (let n = 0; n < 9; n += 1) await order({ displayName: `more-${n}` });
    const { body } = await call('GET', '/v1/compute/instances?page=2&size=5&orderBy=displayName:desc');
    expect((body as { _pagination: object })._pagination).to.deep.equal({
      size: 5,
      totalElements: 12,
      totalPages: 3,
      page: 2,
    });
    expect((body as { data: Shown[] }).data.map((one) => one.displayName)).to.deep.equal([
      'more-3',
      'more-2',
      'more-1',
      'more-0',
      'box-10',
    ]);
    expect(await names('')).to.have.length(10);
  });

  it('goes on until the end of the paid period after a cancel, then is gone', async () => {
    const id = await order({ userData: makeUserData() });
    await waitFor('the machine', async () => (await get(id)).status === 'running');
    const at = `/v1/compute/instances/${id}`;
    sandbox.clock.advance(40 * DAY_MS);
    call = await signInContabo(sandbox);
    const cancelled = await call('POST', `${at}/cancel`, {});
    const { cancelDate } = first(cancelled);
    expect(cancelled.status).to.equal(201);
    const days = (Date.parse(cancelDate ?? '') - sandbox.clock.now().getTime()) / DAY_MS;
    expect(days).to.be.within(17, 23); // ordered 40 days ago for a month: the second one ends
    expect(await get(id)).to.include({ status: 'running', cancelDate });
    expect(await call('POST', `${at}/cancel`, {})).to.deep.equal({
      status: 422,
      body: { statusCode: 422, message: 'The instance is already cancelled' },
    });
    expect((await call('PUT', at, { imageId: 'd64d5c6c-9dda-4e38-8174-0ee282474d8a' })).status).to.equal(200);
    expect((await get(id)).cancelDate).to.equal(cancelDate);
    sandbox.clock.advance(24 * DAY_MS);
    await sandbox.machines.settled();
    call = await signInContabo(sandbox);
    expect([(await call('GET', at)).status, await names('')]).to.deep.equal([404, []]);
    expect(sandbox.machines.list()).to.deep.equal([]);
  });

  it('wipes the disk with a reinstall and keeps the address', async () => {
    const id = await order({ userData: makeUserData() });
    const before = await waitFor('running', async () => {
      const shown = await get(id);
      return shown.status === 'running' ? shown : undefined;
    });
    await sandbox.machines.settled();
    const root = sandbox.machines.list()[0]?.root ?? '';
    expect(readdirSync(root)).to.deep.equal(['etc', 'home']);
    await call('PUT', `/v1/compute/instances/${id}`, { imageId: 'd64d5c6c-9dda-4e38-8174-0ee282474d8a' });
    await waitFor('running again', async () => (await get(id)).status === 'running');
    await sandbox.machines.settled();
    expect(readdirSync(root)).to.deep.equal([]);
    expect((await get(id)).ipConfig).to.deep.equal(before.ipConfig);
  });

  it('stops and starts', async () => {
    const id = await order();
    await waitFor('running', async () => (await get(id)).status === 'running');
    for (const [action, status] of [
      ['stop', 'stopped'],
      ['stop', 'stopped'],
      ['start', 'running'],
      ['restart', 'running'],
      ['shutdown', 'stopped'],
    ] as const) {
      expect((await call('POST', `/v1/compute/instances/${id}/actions/${action}`)).status).to.equal(201);
      await waitFor(action, async () => (await get(id)).status === status);
    }
    expect((await call('POST', `/v1/compute/instances/${id}/actions/dance`)).status).to.equal(404);
  });

  it('can be told what becomes of an order', async () => {
    sandbox.faults.add({ vendor: 'contabo', method: 'POST', path: 'instances$', becomes: 'error' });
    const id = await order();
    const failed = await waitFor('the error', async () => {
      const shown = await get(id);
      return shown.status === 'error' ? shown : undefined;
    });
    expect(failed.errorMessage).to.equal('The installation failed');
  });

  it('keeps an order whose answer was cut off', async () => {
    sandbox.faults.add({ vendor: 'contabo', method: 'POST', path: 'instances$', cut: 'after' });
    expect(await order().catch(() => 'cut')).to.equal('cut');
    expect(await names('?displayName=box-1')).to.deep.equal(['box-1']);
  });

  it('refuses a password that is too weak as a secret', async () => {
    const secret = { name: 'root', type: 'password', value: 'weakpassword' };
    expect((await call('POST', '/v1/secrets', secret)).status).to.equal(400);
    expect((await call('POST', '/v1/secrets', { ...secret, value: 'Str0ng!!pass' })).status).to.equal(201);
    expect(JSON.stringify(sandbox.state('contabo'))).not.to.include('Str0ng');
  });
});
