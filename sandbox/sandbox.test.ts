import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { waitFor } from '../test/harness/wait.ts';
import { findFreeBlock } from '../tools/ports.ts';
import type { Sandbox } from './index.ts';
import type { RequestEntry } from './request-log.ts';
import {
  askEdge,
  CONDUCTOR,
  makeFolder,
  makeUserData,
  signInCloudflare,
  signInContabo,
  signInHostinger,
  startSandbox,
} from './testing/fixtures.ts';
import { VENDOR_NAMES } from './vendor.ts';

type Place = ReturnType<typeof makeFolder>;

describe('the sandbox', function () {
  this.timeout(60_000); // starts processes, perhaps on a busy computer
  let place: Place;
  beforeEach(() => {
    place = makeFolder();
  });
  afterEach(() => place.remove());

  it('tells everything that a control plane needs', async () => {
    const sandbox = await startSandbox(place.folder);
    const { urls, credentials } = sandbox;
    await sandbox.close();
    expect(Object.keys(urls)).to.have.members(['contabo', 'hostinger', 'cloudflare', 'edge', 'page']);
    expect(credentials).to.deep.include({
      CONTABO_API_URL: urls['contabo'],
      CONTABO_AUTH_URL: `${urls['contabo']}/auth/realms/contabo/protocol/openid-connect/token`,
      HOSTINGER_API_URL: urls['hostinger'],
      CLOUDFLARE_API_URL: `${urls['cloudflare']}/client/v4`,
      BOX_CONVERGE: 'none',
      BOX_DOMAIN: 'spoq.localhost',
      BOX_URL_TEMPLATE: `http://{hostname}:${new URL(urls['edge'] ?? '').port}`,
    });
    expect(Object.keys(credentials)).to.include.members([
      'CONTABO_CLIENT_ID',
      'CONTABO_CLIENT_SECRET',
      'CONTABO_API_USER',
      'CONTABO_API_PASSWORD',
      'HOSTINGER_API_KEY',
      'CLOUDFLARE_API_TOKEN',
      'CLOUDFLARE_ZONE_ID',
    ]);
  });

  it('runs every vendor, on a port of its own', async () => {
    const sandbox = await startSandbox(place.folder, { vendors: undefined });
    const { urls, credentials } = sandbox;
    try {
      const html = await (await fetch(urls['page'] ?? '')).text();
      for (const url of Object.values(urls)) if (url !== urls['page']) expect(html).to.include(url);
    } finally {
      await sandbox.close();
    }
    expect(Object.keys(urls)).to.have.members([...VENDOR_NAMES, 'edge', 'page']);
    expect(new Set(Object.values(urls)).size).to.equal(VENDOR_NAMES.length + 2);
    expect(credentials).to.include({
      STRIPE_API_URL: urls['stripe'],
      GITHUB_URL: urls['github'],
      GITHUB_API_URL: urls['github'],
      ANTHROPIC_BASE_URL: `${urls['anthropic']}/v1`,
      OPENAI_BASE_URL: `${urls['openai']}/v1`,
      SMTP_URL: urls['mail'],
    });
  });

  it('keeps machines, records and credentials over a restart', async () => {
    const first = await startSandbox(place.folder);
    const contabo = await signInContabo(first);
    await contabo('POST', '/v1/compute/instances', { period: 1, displayName: 'box-1', userData: makeUserData() });
    await signInCloudflare(first)('POST', `/zones/${first.credentials['CLOUDFLARE_ZONE_ID']}/dns_records`, {
      type: 'A',
      name: 'alice',
      content: '198.51.100.10',
    });
    await waitFor('the conductor', () => first.machines.findFront('198.51.100.10') ?? undefined);
    await first.close();

    const second = await startSandbox(place.folder);
    try {
      await waitFor('the conductor', () => second.machines.findFront('198.51.100.10') ?? undefined);
      expect((await askEdge(second, 'alice.spoq.localhost', '/')).status).to.equal(200);
      const kept = ['CONTABO_CLIENT_SECRET', 'HOSTINGER_API_KEY', 'CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ZONE_ID'];
      for (const name of kept) expect(second.credentials[name]).to.equal(first.credentials[name]);
    } finally {
      await second.close();
    }
  });

  it('goes on with an order where it was when it ended', async () => {
    const first = await startSandbox(place.folder, { delays: { provisioning_ms: 60_000, installing_ms: 0 } });
    const order = { period: 1, displayName: 'box-1', userData: makeUserData() };
    await (
      await signInContabo(first)
    )('POST', '/v1/compute/instances', order);
    await first.close();
    const second = await startSandbox(place.folder);
    try {
      second.clock.advance(60_000);
      await waitFor('the conductor', () => second.machines.findFront('198.51.100.10') ?? undefined);
    } finally {
      await second.close();
    }
  });

  it('names the port that is taken, and leaves nothing behind', async () => {
    const blocker = createServer();
    const base = await findFreeBlock(10);
    await new Promise<void>((resolve) => blocker.listen(base + 6, '127.0.0.1', () => resolve()));
    const failure = await startSandbox(place.folder, { ports: base }).catch((error: unknown) => error);
    blocker.close();
    expect(String(failure)).to.equal(
      `Error: Port ${base + 6}, meant for the sandbox's cloudflare, is in use; choose another block of ports`,
    );
    const sandbox = await startSandbox(place.folder, { ports: base });
    await sandbox.close();
    expect(sandbox.urls).to.include({
      page: `http://127.0.0.1:${base + 1}`,
      contabo: `http://127.0.0.1:${base + 4}`,
      edge: `http://127.0.0.1:${base + 9}`,
    });
  });
});

describe('the control API and the page', () => {
  let place: Place;
  let sandbox: Sandbox;
  let page: string;
  before(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder);
    page = sandbox.urls['page'] ?? '';
  });
  after(async () => {
    await sandbox.close();
    place.remove();
  });

  const api = (path: string, method = 'GET', body?: unknown): Promise<Response> =>
    fetch(`${page}/api${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const form = (
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    fetch(page + path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', headers });

  it('adds, shows and removes faults', async () => {
    const added = await api('/faults', 'POST', { vendor: 'hostinger', status: 500, times: 2 });
    const { id } = (await added.json()) as { id: string };
    expect(added.status).to.equal(201);
    const hostinger = signInHostinger(sandbox);
    sandbox.faults.add({ vendor: 'hostinger', status: 418 });
    const path = '/api/billing/v1/catalog';
    expect((await fetch(sandbox.urls['hostinger'] + path)).status).to.equal(500);
    expect(await (await api('/faults')).json()).to.deep.include({
      id,
      vendor: 'hostinger',
      status: 500,
      times: 2,
      after: 0,
      matched: 1,
      hits: 1,
    });
    expect((await api(`/faults/${id}`, 'DELETE')).status).to.equal(204);
    expect((await api(`/faults/${id}`, 'DELETE')).status).to.equal(404);
    expect((await fetch(sandbox.urls['hostinger'] + path)).status).to.equal(418);
    expect((await api('/faults', 'DELETE')).status).to.equal(204);
    expect((await hostinger('GET', path)).status).to.equal(200);
    const wrong = await api('/faults', 'POST', { vendor: 'nobody', staus: 500 });
    expect([wrong.status, await wrong.text()]).to.satisfy(
      ([status, text]: [number, string]) => status === 400 && /vendor: .*\n.*staus/.test(text),
    );
  });

  it('shows requests, state, machines, delays and time', async () => {
    await api('/requests', 'DELETE');
    await signInHostinger(sandbox)('GET', '/api/vps/v1/templates');
    const entries = (await (await api('/requests?vendor=hostinger&since=0')).json()) as RequestEntry[];
    expect(entries.map(({ path, status }) => [path, status])).to.deep.equal([['/api/vps/v1/templates', 200]]);
    expect(await (await api(`/requests?since=${entries[0]?.id}`)).json()).to.deep.equal([]);
    expect(await (await api('/state/cloudflare')).json()).to.deep.include({ records: [] });
    expect((await api('/state/nobody')).status).to.equal(404);
    expect(await (await api('/machines')).json()).to.deep.equal([]);
    expect(await (await api('/mails')).json()).to.deep.equal([]);
    expect(await (await api('/delays', 'POST', { action_ms: 5 })).json())
      .to.deep.equal(sandbox.delays)
      .and.to.include({ action_ms: 5 });
    expect((await api('/delays', 'POST', { action_ms: -1 })).status).to.equal(400);
    const { now } = (await (await api('/clock', 'POST', { advance_ms: 3_600_000 })).json()) as { now: string };
    expect(Date.parse(now) - Date.now()).to.be.within(3_590_000, 3_600_000);
    expect((await api('/clock', 'POST', { advance_ms: -1 })).status).to.equal(400);
  });

  it('is a page that escapes what it shows', async () => {
    await fetch(`${sandbox.urls['hostinger']}/<script>alert(1)</script>`, {
      method: 'POST',
      body: '<img src=x>',
      headers: { 'content-type': 'text/plain' },
    });
    const { id: fault } = sandbox.faults.add({ vendor: 'stripe', path: '<script>alert(2)</script>' });
    const answer = await fetch(page);
    const html = await answer.text();
    expect(answer.headers.get('content-security-policy')).to.include("default-src 'none'");
    expect(html).to.include('Spoq sandbox').and.to.include(sandbox.urls['contabo']).and.not.to.include('<script>alert');
    expect(html).to.include('&lt;script&gt;alert(2)');
    sandbox.faults.remove(fault);
    const [, id] = /\/requests\/(\d+)/.exec(html) ?? [];
    const detail = await (await fetch(`${page}/requests/${id}`)).text();
    expect(detail).to.include('&lt;img src=x&gt;').and.not.to.include('<img');
    expect((await fetch(`${page}/requests/999999`)).status).to.equal(404);
    for (const asset of ['pico.css', 'sandbox.css', 'live.js'])
      expect((await fetch(`${page}/assets/${asset}`)).status).to.equal(200);
    expect((await fetch(`${page}/assets/..%2froutes.ts`)).status).to.equal(404);
  });

  it('shows nothing under a name that somebody else has led to this machine', async () => {
    const ask = async (path: string, host: string): Promise<number | undefined> => {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
      get(new URL(path, page), { headers: { host } }, (answer) => resolve(answer.resume().statusCode)).once(
        'error',
        reject,
      );
      return promise;
    };
    const { port } = new URL(page);
    for (const name of ['localhost', '127.0.0.1', '[::1]', 'box.localhost'])
      expect(await ask('/api/requests', `${name}:${port}`), name).to.equal(200);
    for (const name of ['rebound.example', 'localhost.example', '127.0.0.1.example', '192.0.2.1'])
      for (const path of ['/', '/api/requests']) expect(await ask(path, `${name}:${port}`), name).to.equal(403);
  });

  it('adds and removes faults by its forms, not for other sites', async () => {
    const fields = {
      vendor: 'contabo',
      method: 'post',
      path: 'cancel',
      status: '503',
      cut: '',
      times: '1',
      after: '0',
      delay_ms: '',
    };
    expect((await form('/faults', fields, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403);
    expect(sandbox.faults.list()).to.deep.equal([]);
    const added = await form('/faults', fields, { 'sec-fetch-site': 'same-origin' });
    expect([added.status, added.headers.get('location')]).to.deep.equal([303, '/#faults']);
    const [fault] = sandbox.faults.list();
    expect(fault).to.deep.include({
      vendor: 'contabo',
      method: 'POST',
      path: 'cancel',
      status: 503,
      times: 1,
      after: 0,
    });
    expect(await (await fetch(page)).text()).to.include('POST to cancel: answers 503 (1 of 1 left)');
    expect((await form(`/faults/${fault?.id}/remove`, {})).status).to.equal(303);
    expect(sandbox.faults.list()).to.deep.equal([]);
    const refused = await form('/faults', { ...fields, vendor: 'mail', path: '(', status: '42' });
    expect([refused.status, await refused.text()]).to.satisfy(
      ([status, html]: [number, string]) =>
        status === 400 && html.includes('is not a regular expression') && html.includes('vendor: '),
    );
  });
});

describe('the sandbox as a process', function () {
  this.timeout(60_000); // starts processes, perhaps on a busy computer
  const children: ChildProcess[] = [];
  let place: Place;
  beforeEach(() => {
    place = makeFolder();
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    place.remove();
  });

  const run = (args: string[]): ChildProcess => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  };
  const readLine = async (child: ChildProcess): Promise<Pick<Sandbox, 'urls' | 'credentials'>> => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
    });
    const line = await waitFor('the line', () => (text.includes('\n') ? text : undefined));
    return JSON.parse(line) as Pick<Sandbox, 'urls' | 'credentials'>;
  };
  const exit = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve));
  const machinesOf = async ({ urls }: Pick<Sandbox, 'urls'>): Promise<{ status: string; console: string[] }[]> =>
    (await fetch(`${urls['page']}/api/machines`)).json() as Promise<{ status: string; console: string[] }[]>;

  it('loses nothing to a kill -9, and ends every child when told to', async () => {
    const args = [
      '--state',
      place.folder,
      '--port',
      '0',
      '--vendors',
      'contabo,cloudflare',
      '--delay',
      'provisioning_ms=0',
      '--delay',
      'installing_ms=0',
    ];
    const conductor = CONDUCTOR.flatMap((word) => ['--conductor', word]);
    const first = run([...args, ...conductor]);
    const told = await readLine(first);
    await (
      await signInContabo(told)
    )('POST', '/v1/compute/instances', { period: 1, displayName: 'box-1', userData: makeUserData() });
    first.kill('SIGKILL');
    await exit(first);

    const second = run([...args, ...conductor]);
    const again = await readLine(second);
    const isUp = async (): Promise<boolean> =>
      (await machinesOf(again))[0]?.console.some((line) => line.includes('listening')) ?? false;
    await waitFor('the conductor', isUp);
    const { body } = await (await signInContabo(again))('GET', '/v1/compute/instances');
    expect(
      (body as { data: { displayName: string; status: string }[] }).data.map(({ displayName, status }) => [
        displayName,
        status,
      ]),
    ).to.deep.equal([['box-1', 'running']]);
    const { conductor: local } = JSON.parse(String(await readMarker(again))) as { conductor: string };
    const { pid } = (await (await fetch(local)).json()) as { pid: number };
    second.kill('SIGTERM');
    expect(await exit(second)).to.equal(0);
    expect(() => process.kill(pid, 0)).to.throw('ESRCH');
  });

  it('refuses what it does not understand with its usage', async () => {
    for (const [args, sentence] of [
      [[], '--state is missing'],
      [['--state', place.folder, '--vendors', 'contabo,nobody'], 'There is no vendor nobody'],
      [['--state', place.folder, '--delay', 'sleep_ms=1'], 'Not a delay in milliseconds: sleep_ms'],
    ] as const) {
      const child = run([...args]);
      let text = '';
      child.stderr?.on('data', (chunk) => {
        text += String(chunk);
      });
      expect(await exit(child)).to.equal(64);
      expect(text).to.include(sentence).and.to.include('Usage: node sandbox/main.ts');
    }
  });

  const readMarker = async (told: Pick<Sandbox, 'urls'>): Promise<string> => {
    const [machine] = (await (await fetch(`${told.urls['page']}/api/machines`)).json()) as { root: string }[];
    return readFile(`${machine?.root}/etc/spoq/vps.marker`, 'utf8');
  };
});
