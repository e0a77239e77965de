import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type { Middleware } from 'koa';
import { pino } from 'pino';
import { createFaults } from './faults.ts';
import type { RequestState } from './parse-body.ts';
import { createRequestLog, RING, RING_CHARS } from './request-log.ts';
import { openStore } from './state.ts';
import { createVendorServer, type VendorServer } from './vendor.ts';

const log = pino({ level: 'silent' });

describe('a vendor server', () => {
  const requests = createRequestLog();
  const faults = createFaults();
  let server: VendorServer;
  let acted: unknown[] = [];

  const routes: Middleware<RequestState> = (ctx) => {
    acted.push(ctx.state.body);
    if (ctx.path === '/stream') {
      const stream = new PassThrough();
      ctx.type = 'text/event-stream';
      ctx.body = stream;
      stream.write('data: one\n\n');
      setImmediate(() => stream.end('data: two\n\n'));
    } else if (ctx.state.bodyFault) ctx.throw(400, 'bad json');
    else ctx.body = { bytes: ctx.state.rawBody.length, access_token: 'secret-token' };
  };

  before(async () => {
    server = await createVendorServer({ name: 'github', routes, host: '127.0.0.1', port: 0, requests, faults, log });
  });
  after(() => server.close());
  beforeEach(() => {
    requests.clear();
    faults.clear();
    acted = [];
  });

  const post = (path: string, body: string, type = 'application/json'): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      body,
      headers: { 'content-type': type, authorization: 'Bearer topsecret' },
    });

  /** The log is written when the response closes, which the client may see a moment earlier. */
  const entries = async (count: number): Promise<ReturnType<typeof requests.list>> => {
    const deadline = Date.now() + 2000;
    while (requests.list().length < count && Date.now() < deadline) await new Promise(setImmediate);
    return requests.list();
  };

  it('parses JSON and forms and keeps the raw bytes', async () => {
    expect(await (await post('/json', '{"a": 1}')).json()).to.deep.equal({
      bytes: 8,
      access_token: 'secret-token',
    });
    await post('/form', 'a[b]=1&c=2', 'application/x-www-form-urlencoded');
    expect(acted[0]).to.deep.equal({ a: 1 });
    expect([...(acted[1] as URLSearchParams)]).to.deep.equal([
      ['a[b]', '1'],
      ['c', '2'],
    ]);
    expect((await post('/json', '{')).status).to.equal(400);
  });

  it('records requests without their credentials', async () => {
    await post('/json?x=1', '{"client_secret":"hush","a":1}');
    await post('/form', 'password=hush&a=1', 'application/x-www-form-urlencoded');
    const [json, form] = await entries(2);
    expect(json).to.deep.include({
      vendor: 'github',
      method: 'POST',
      path: '/json',
      query: { x: '1' },
      request_body: '{"client_secret":"[redacted by the sandbox]","a":1}',
      status: 200,
    });
    expect(form?.request_body).to.equal('password=[redacted by the sandbox]&a=1');
    expect(json?.request_headers.authorization).to.equal('Bearer [redacted by the sandbox]');
    expect(JSON.stringify([json, form])).not.to.match(/hush|topsecret|secret-token/);
  });

  it('records what was streamed', async () => {
    expect(await (await post('/stream', '{}')).text()).to.equal('data: one\n\ndata: two\n\n');
    expect((await entries(1))[0]?.response_body).to.equal('data: one\n\ndata: two\n\n');
  });

  it('answers a fault instead of acting, for the named calls only', async () => {
    faults.add({
      vendor: 'github',
      method: 'post',
      path: '^/json$',
      after: 1,
      times: 2,
      status: 429,
      headers: { 'retry-after': '3' },
      body: { no: true },
    });
    faults.add({ vendor: 'stripe', status: 500, times: 0 });
    const statuses = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await post('/json', '{}')).status);
    expect(statuses).to.deep.equal([200, 429, 429, 200]);
    expect(acted).to.have.length(2);
    expect((await entries(4)).map((entry) => entry.fault)).to.deep.equal([undefined, 'fault-1', 'fault-1', undefined]);
    expect((await fetch(server.url)).status).to.equal(200);
  });

  it('cuts before acting, after acting, and in the middle of an answer', async () => {
    faults.add({ vendor: 'github', cut: 'before' });
    expect(await post('/json', '{}').catch(() => 'cut')).to.equal('cut');
    expect(acted).to.have.length(0);
    faults.add({ vendor: 'github', cut: 'after' });
    expect(await post('/json', '{}').catch(() => 'cut')).to.equal('cut');
    expect(acted).to.have.length(1);
    faults.add({ vendor: 'github', cut: 'during' });
    const answer = await post('/stream', '{}');
    expect(answer.status).to.equal(200);
    expect(await answer.text().catch(() => 'cut')).to.equal('cut');
    faults.add({ vendor: 'github', cut: 'during' });
    expect(
      await post('/json', '{}')
        .then((whole) => whole.text())
        .catch(() => 'cut'),
    ).to.equal('cut');
    expect((await entries(4)).map((entry) => entry.status)).to.deep.equal([0, 0, 200, 200]);
  });

  it('delays and then answers rightly', async () => {
    faults.add({ vendor: 'github', delay_ms: 60 });
    const started = performance.now();
    expect((await post('/json', '{}')).status).to.equal(200);
    expect(performance.now() - started).to.be.at.least(55);
  });

  it('acts at once and answers later', async () => {
    faults.add({ vendor: 'github', hold_ms: 200 });
    let answered = false;
    const answer = post('/json', '{}').finally(() => {
      answered = true;
    });
    const deadline = Date.now() + 2000;
    while (acted.length === 0 && Date.now() < deadline) await new Promise(setImmediate);
    expect([acted.length, answered]).to.deep.equal([1, false]);
    expect((await answer).status).to.equal(200);
  });

  it('refuses a fault that is none', () => {
    expect(() => faults.add({ vendor: 'github', path: '(' })).to.throw('is not a regular expression');
    expect(() => faults.add({ vendor: 'github', status: 42 })).to.throw();
    expect(faults.list()).to.deep.equal([]);
  });
});

describe('the request log', () => {
  it('keeps a ring per vendor', () => {
    const requests = createRequestLog();
    const entry = {
      at: '',
      method: 'GET',
      path: '/',
      query: {},
      request_headers: {},
      request_body: '',
      status: 200,
      response_body: '',
      ms: 0,
    };
    requests.add({ ...entry, vendor: 'stripe' });
    for (let n = 0; n < RING + 5; n += 1) requests.add({ ...entry, vendor: 'github' });
    expect(requests.list({ vendor: 'github' })).to.have.length(RING);
    expect(requests.list({ vendor: 'stripe' })).to.have.length(1);
    const long = 'x'.repeat(RING_CHARS / 4);
    for (let n = 0; n < 6; n += 1) requests.add({ ...entry, vendor: 'openai', request_body: long });
    expect(requests.list({ vendor: 'openai' })).to.have.length(4);
    requests.add({ ...entry, vendor: 'openai', request_body: long.repeat(5) });
    expect(requests.list({ vendor: 'openai' })).to.have.length(1);
    expect(requests.list({ vendor: 'github', since: RING + 5 }).map(({ id }) => id)).to.deep.equal([RING + 6]);
  });
});

describe('the persisted state', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spoq-state-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is on disk when update returns, and is read again', () => {
    const file = join(folder, 'deep', 'x.json');
    openStore(file, () => ({ list: [1] })).update((data) => data.list.push(2));
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.deep.equal({ list: [1, 2] });
    expect(openStore(file, () => ({ list: [] as number[] })).data).to.deep.equal({ list: [1, 2] });
  });

  it('names a file that is not JSON', () => {
    const file = join(folder, 'x.json');
    writeFileSync(file, '{');
    expect(() => openStore(file, () => ({}))).to.throw(file);
  });
});
