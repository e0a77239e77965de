import { get as httpGet, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { waitFor } from '../test/harness/wait.ts';
import type { Sandbox } from './index.ts';
import {
  askEdge,
  type Call,
  makeFolder,
  makeUserData,
  readIfThere,
  signInCloudflare,
  signInContabo,
  startSandbox,
} from './testing/fixtures.ts';

const HOST = 'alice.spoq.localhost';

describe('the front door', function () {
  this.timeout(60_000); // starts processes, perhaps on a busy computer
  let place: ReturnType<typeof makeFolder>;
  let sandbox: Sandbox;
  let contabo: Call;
  let cloudflare: Call;
  let records: string;
  before(async () => {
    place = makeFolder();
    sandbox = await startSandbox(place.folder);
    contabo = await signInContabo(sandbox);
    cloudflare = signInCloudflare(sandbox);
    records = `/zones/${sandbox.credentials['CLOUDFLARE_ZONE_ID']}/dns_records`;
    await contabo('POST', '/v1/compute/instances', { period: 1, displayName: 'box-1', userData: makeUserData() });
    await contabo('POST', '/v1/compute/instances', { period: 1, displayName: 'bare' });
    await cloudflare('POST', records, { type: 'A', name: HOST, content: '198.51.100.10' });
    await cloudflare('POST', records, { type: 'A', name: 'bare', content: '198.51.100.11' });
    await cloudflare('POST', records, { type: 'A', name: 'stale', content: '203.0.113.99' });
    await waitFor('the conductor', () => sandbox.machines.findFront('198.51.100.10') ?? undefined);
  });
  after(async () => {
    await sandbox.close();
    place.remove();
  });

  const readState = (file: string): string | undefined =>
    readIfThere(join(sandbox.machines.list()[0]?.root ?? '', '../state', file));

  it('leads a name to its machine and says for whom it asks', async () => {
    const port = new URL(sandbox.urls['edge'] ?? '').port;
    const claimed = {
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      connection: 'close, x-private',
      'x-private': '1',
      authorization: 'Bearer token',
    };
    const { status, body } = await askEdge(sandbox, `Alice.spoq.localhost:${port}`, '/api/status?x=1', claimed);
    expect(status).to.equal(200);
    const { url, method, headers } = body as { url: string; method: string; headers: Record<string, string> };
    expect([method, url]).to.deep.equal(['GET', '/api/status?x=1']);
    expect({ ...headers, connection: undefined }).to.deep.equal({
      host: `Alice.spoq.localhost:${port}`,
      authorization: 'Bearer token',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `Alice.spoq.localhost:${port}`,
      connection: undefined,
    });
  });

  it('passes bodies on', async () => {
    const text = 'x'.repeat(300_000);
    const { body } = await askEdge(sandbox, HOST, '/api/ask', { 'transfer-encoding': 'chunked' }, text);
    expect(body).to.deep.include({ method: 'POST', body: text });
  });

  it('says why a name leads nowhere', async () => {
    expect(await askEdge(sandbox, 'nobody.spoq.localhost', '/')).to.deep.equal({
      status: 502,
      body: 'There is no DNS record for nobody.spoq.localhost in the sandbox.\n',
    });
    expect(await askEdge(sandbox, 'stale.spoq.localhost', '/')).to.deep.equal({
      status: 502,
      body: 'No machine of the sandbox has the address of stale.spoq.localhost (203.0.113.99).\n',
    });
    expect(await askEdge(sandbox, 'bare.spoq.localhost', '/')).to.deep.equal({
      status: 502,
      body: 'The machine of bare.spoq.localhost (198.51.100.11) does not answer: it is off, bare or starting.\n',
    });
  });

  it('passes the first bytes on at once, and a hang-up too', async () => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(`${sandbox.urls['edge']}/stream`, { headers: { host: HOST } }, resolve).on('error', reject);
    });
    answer.setEncoding('utf8');
    const chunk = await new Promise<string>((resolve) => answer.once('data', resolve));
    expect([answer.headers['content-type'], chunk]).to.deep.equal(['text/event-stream', 'data: first\n\n']);
    answer.on('error', () => undefined);
    answer.destroy();
    await waitFor('the conductor to notice', () => readState('closed') === '/stream\n');
  });

  it('passes a hang-up on before there is an answer', async () => {
    const request = httpGet(`${sandbox.urls['edge']}/hold`, { headers: { host: HOST } });
    request.on('error', () => undefined);
    await waitFor('the conductor to be asked', () => readState('opened')?.endsWith('/hold\n'));
    request.destroy();
    await waitFor('the conductor to notice', () => readState('closed')?.endsWith('/hold\n'));
  });

  it('hangs up when the machine dies in the middle of an answer', async () => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(`${sandbox.urls['edge']}/stream`, { headers: { host: HOST } }, resolve).on('error', reject);
    });
    const ended = new Promise<string>((resolve) => {
      answer.on('error', () => resolve('broken'));
      answer.on('end', () => resolve('complete'));
    });
    answer.resume();
    expect((await askEdge(sandbox, HOST, '/crash')).status).to.equal(502);
    expect(await ended).to.equal('broken');
  });
});
