import { expect } from 'chai';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { createVendorHttp, parseRetryAfter, VendorError, waitMs } from './http.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
const cut: Answer = (request) => void request.socket.destroy();
const silence: Answer = () => {};

describe('createVendorHttp', () => {
  let answers: Answer[];
  let count = 0;
  const server = createServer((request, response) => {
    count += 1;
    (answers.shift() ?? json(200, { ok: true }))(request, response);
  });
  let url = '';
  before(async () => {
    ({ url } = await listenOnFreePort(server));
  });
  after(() => closeServer(server));
  beforeEach(() => {
    answers = [];
    count = 0;
  });

  const explain = (body: unknown): string | undefined => (body as { message?: string } | undefined)?.message;
  const http = createVendorHttp({ vendor: 'Vendor', explain, backoffMs: 1, timeoutMs: 100 });
  const failureOf = async (promise: Promise<unknown>): Promise<VendorError> => {
    const error = await promise.catch((reason: unknown) => reason);
    if (!(error instanceof VendorError)) throw new Error('no VendorError', { cause: error });
    return error;
  };

  const TRANSIENT: [string, Answer[]][] = [
    ['500 twice', [json(500, {}), json(500, {})]],
    ['429 with Retry-After', [json(429, {}, { 'retry-after': '0' })]],
    ['a cut connection', [cut]],
    ['no answer in time', [silence]],
    ['502 with an HTML page', [(_request, response) => void response.writeHead(502).end('<html>')]],
  ];
  for (const [name, first] of TRANSIENT)
    it(`tries again after ${name}`, async () => {
      answers = [...first];
      expect(await http({ method: 'GET', url })).to.deep.equal({ status: 200, body: { ok: true } });
      expect(count).to.equal(first.length + 1);
    });

  it('follows no redirect: what it sends is for the vendor alone', async () => {
    const asked: (string | undefined)[] = [];
    const lead: Answer = (request, response) => {
      asked.push(request.url);
      json(302, {}, { location: '/elsewhere' })(request, response);
    };
    answers = Array.from({ length: 20 }, () => lead);
    await failureOf(http({ method: 'GET', url, headers: { authorization: 'Bearer key' } }));
    expect(new Set(asked)).to.deep.equal(new Set(['/']));
  });

  for (const status of [400, 401, 402, 403, 404, 409, 422])
    it(`does not repeat what was refused with ${status}`, async () => {
      answers = [json(status, { message: 'No.' })];
      const { kind, message, retryable, uncertain } = await failureOf(http({ method: 'POST', url, json: {} }));
      expect({ kind, message, retryable, uncertain }).to.deep.equal({
        kind: 'refused',
        message: `Vendor answered ${status}: No.`,
        retryable: false,
        uncertain: false,
      });
      expect(count).to.equal(1);
    });

  const ONCE: [string, Answer, boolean][] = [
    ['500', json(500, {}), true],
    ['a cut connection', cut, true],
    ['no answer', silence, true],
    ['429', json(429, {}), false],
  ];
  for (const [name, answer, uncertain] of ONCE)
    it(`sends a call with one try once, and knows whether ${name} leaves doubt`, async () => {
      answers = [answer];
      expect((await failureOf(http({ method: 'POST', url, json: {}, tries: 1 }))).uncertain).to.equal(uncertain);
      expect(count).to.equal(1);
    });

  it('gives up after its tries with the last fault', async () => {
    answers = Array.from({ length: 9 }, () => json(503, { message: 'Later.' }));
    expect((await failureOf(http({ method: 'GET', url }))).message).to.equal('Vendor answered 503: Later.');
    expect(count).to.equal(6);
  });

  it('stops waiting when it is told', async () => {
    answers = [json(429, {}, { 'retry-after': '3600' })];
    const abort = new AbortController();
    const call = http({ method: 'GET', url, signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 20);
    expect(await call.catch((error: Error) => error.message)).to.equal('enough');
  });

  it('honours Retry-After up to its cap, else doubles with jitter', () => {
    const told = (seconds?: number) => new VendorError('Vendor', 'limited', '', { retryAfterSeconds: seconds });
    expect(waitMs(told(7), 1, 10, 60_000)).to.equal(7_000);
    expect(waitMs(told(3_600), 1, 10, 60_000)).to.equal(60_000);
    for (let attempt = 1; attempt < 30; attempt += 1) {
      const bound = Math.min(10 * 2 ** (attempt - 1), 60_000);
      expect(waitMs(told(), attempt, 10, 60_000)).to.be.within(bound / 2, bound);
    }
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:09 GMT', now)).to.equal(9);
    expect(parseRetryAfter('soon', now)).to.equal(undefined);
  });
});
