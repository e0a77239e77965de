import { expect } from 'chai';
import Koa from 'koa';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { waitFor } from '../test/harness/wait.ts';
import { createLogger } from './log.ts';
import { createBodyMiddleware } from './middleware/body.ts';
import { createProblemMiddleware } from './middleware/problem.ts';
import { createPages } from './pages/pages.ts';
import { LIMITS, serve, type Listening } from './serve.ts';

/** Everything within a second, so that tests needn't wait for half a minute. */
const FAST = {
  ...LIMITS,
  headersMs: 200,
  requestMs: 600,
  keepAliveMs: 200,
  idleMs: 2_000,
  checkMs: 20,
  connections: 3,
};
const BODY_MS = 200;
/** What a body may have, in KiB. */
const MAX_KIB = 16;
const MEGABYTES = 4;

describe('requests that no browser sends', () => {
  let listening: Listening;
  let port: number;
  /** What reached the app, as "METHOD path host body". */
  let seen: string[];
  const open = new Set<Socket>();

  before(async () => {
    const app = new Koa();
    app.silent = true;
    app.use(createProblemMiddleware({ log: createLogger('silent', 'test'), pages: createPages() }));
    app.use(async (ctx, next) => {
      if (ctx.method === 'POST') return next();
      seen.push(`${ctx.method} ${ctx.path} ${ctx.get('host')}`);
      if (ctx.path === '/stream') return streamSlowly(ctx);
      ctx.body = ctx.path === '/download' ? Buffer.alloc(MEGABYTES * 1024 * 1024) : 'hello';
    });
    app.use(createBodyMiddleware({ withinMs: BODY_MS }));
    app.use((ctx) => {
      seen.push(`${ctx.method} ${ctx.path} ${JSON.stringify((ctx.request as { body?: unknown }).body)}`);
      ctx.body = 'read';
    });
    listening = await serve(app.callback(), { host: '127.0.0.1', port: 0 }, FAST);
    port = Number(new URL(listening.url).port);
  });
  beforeEach(() => {
    seen = [];
  });
  afterEach(() => {
    for (const socket of open) socket.destroy();
    open.clear();
  });
  after(() => listening.close());

  function dial(): Socket {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => {}); // it is cut: that is what is looked for
    open.add(socket);
    return socket;
  }

  /** Writes `parts` with a pause between them and answers all that comes until the server hangs up. */
  async function exchange(parts: string[], pauseMs = 0): Promise<{ answer: string; ms: number }> {
    const socket = dial();
    const answer = text(socket).catch(() => 'cut');
    const began = performance.now();
    for (const part of parts) {
      if (socket.destroyed) break;
      socket.write(part, 'latin1');
      if (pauseMs > 0) await wait(pauseMs);
    }
    return { answer: await answer, ms: performance.now() - began };
  }

  const FORM = 'Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n';

  describe('Slow requests', () => {
    const trickle = Array.from({ length: 60 }, () => 'a');

    it('whose headers trickle: 408, and cut', async () => {
      const { answer, ms } = await exchange(['GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', ...trickle], 25);
      expectProblem(answer, 408, 'request_timeout');
      expect(ms).to.be.lessThan(2_000);
      expect(seen).to.deep.equal([]);
    });

    it('whose body trickles: 408, and cut', async () => {
      const { answer } = await exchange([`POST / HTTP/1.1\r\n${FORM}Content-Length: 1000\r\n\r\n`, ...trickle], 25);
      expectProblem(answer, 408, 'request_timeout');
      expect(answer).to.match(/^Connection: close\r$/im);
      expect(seen).to.deep.equal([]);
    });

    it('whose chunks trickle: the same', async () => {
      const chunks = trickle.map((one) => `1\r\n${one}\r\n`);
      const { answer } = await exchange(
        [`POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\n\r\n`, ...chunks],
        25,
      );
      expectProblem(answer, 408, 'request_timeout');
    });

    it('whose chunks have no end: 413, and cut soon after', async () => {
      const socket = dial();
      let answer = '';
      socket.on('data', (data) => (answer += String(data)));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const chunk = `400\r\n${'a'.repeat(1024)}\r\n`;
      // At once: how long a body may take is another test's.
      socket.write(`POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(MAX_KIB + 1)}`);
      await waitFor('an answer', () => answer.includes('body_too_large'));
      const more = setInterval(() => socket.write(chunk), 10);
      await closed;
      clearInterval(more);
      expectProblem(answer, 413, 'body_too_large');
    });

    it('that never begin, or don’t go on: cut', async () => {
      const socket = dial();
      expect(await text(socket).catch(() => '')).to.match(/^(HTTP\/1\.1 408 |$)/);
      const idle = await exchange(['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n']);
      expect(idle.answer).to.match(/^HTTP\/1\.1 200 /);
      expect(idle.ms).to.be.within(FAST.keepAliveMs / 2, 3_000);
    });

    it('beyond so many at once: not taken', async () => {
      const held = [dial(), dial(), dial()];
      await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
      expect(await text(dial()).catch(() => '')).to.equal('');
    });

    it('that are over don’t count: a stream goes on as long as it likes', async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/stream`);
      const began = performance.now();
      expect(await answer.text()).to.equal('....');
      expect(performance.now() - began).to.be.greaterThan(FAST.requestMs);
    });

    it('that are over don’t count: a download may be read slowly', async () => {
      const socket = dial();
      socket.write('GET /download HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      socket.pause();
      await wait(2 * FAST.requestMs);
      const answer = await text(socket.resume());
      expect(answer.length).to.be.greaterThan(MEGABYTES * 1024 * 1024);
    });
  });

  describe('Framing', () => {
    const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const [name, bytes, status, code] of [
      [
        'a length and chunks',
        `POST / HTTP/1.1\r\n${FORM}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      [
        'chunks and a length',
        `POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['two lengths', `POST / HTTP/1.1\r\n${FORM}Content-Length: 3\r\nContent-Length: 60\r\n\r\na=1`, 400],
      ['two equal lengths', `POST / HTTP/1.1\r\n${FORM}Content-Length: 3\r\nContent-Length: 3\r\n\r\na=1`, 400],
      ['a list of lengths', `POST / HTTP/1.1\r\n${FORM}Content-Length: 3, 3\r\n\r\na=1`, 400],
      ['a length with a sign', `POST / HTTP/1.1\r\n${FORM}Content-Length: +3\r\n\r\na=1`, 400],
      ['another coding than chunked', `POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
      ['chunked twice over', `POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
      [
        'a chunk that is no number',
        `POST / HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\n\r\n0x3\r\na=1\r\n0\r\n\r\n`,
        400,
      ],
      ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n', 400],
      ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
      ['bare line feeds', 'GET / HTTP/1.1\nHost: localhost\n\n', 400],
      ['a bare line feed in a header', 'GET / HTTP/1.1\r\nHost: localhost\nX-Forwarded-For: 1.2.3.4\r\n\r\n', 400],
      ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: localhost\rX-Forwarded-For: 1.2.3.4\r\n\r\n', 400],
      ['a space before a colon', 'GET / HTTP/1.1\r\nHost : localhost\r\n\r\n', 400],
      ['NUL in a header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n', 400],
      [
        'a header of 20 kB',
        `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
        431,
        'headers_too_large',
      ],
      ['101 headers', `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(100)}\r\n`, 431, 'headers_too_large'],
      [
        '3,000 headers',
        `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(3_000)}X: y\r\n\r\n`,
        431,
        'headers_too_large',
      ],
      ['no HTTP at all', '\x16\x03\x01\x02\0\x01\0\x01\xfc', 400],
    ] as const)
      it(`${name}: ${status}, and nothing after it is heard`, async () => {
        const { answer } = await exchange([bytes + SMUGGLED]);
        expectProblem(answer, status, code ?? 'invalid_request');
        expect(answer.match(/HTTP\/1\.1 /g)).to.have.length(1);
        expect(seen).to.deep.equal([]);
      });

    it('two requests in one packet: two answers', async () => {
      const one = 'GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n';
      const { answer } = await exchange([`${one}${one.replace('/one', '/two')}`]);
      expect(answer.match(/HTTP\/1\.1 200 /g)).to.have.length(2);
      expect(seen).to.deep.equal(['GET /one localhost', 'GET /two localhost']);
    });

    it('a hundred headers: the last is heard as well', async () => {
      const { answer } = await exchange([
        `GET / HTTP/1.1\r\n${'a:\r\n'.repeat(99)}Host: localhost\r\nConnection: close\r\n\r\n`,
      ]);
      expect(answer).to.match(/^HTTP\/1\.1 431 /);
      const fits = await exchange([
        `GET / HTTP/1.1\r\n${'a:\r\n'.repeat(98)}Connection: close\r\nHost: localhost\r\n\r\n`,
      ]);
      expect(fits.answer).to.match(/^HTTP\/1\.1 200 /);
      expect(seen).to.deep.equal(['GET / localhost']);
    });
  });
});

async function streamSlowly(ctx: Koa.Context): Promise<void> {
  ctx.respond = false;
  ctx.res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let count = 0; count < 4; count += 1) {
    await wait(FAST.requestMs / 2);
    ctx.res.write('.');
  }
  ctx.res.end();
}

/** RFC 9457, whole, and not a word of how it came about. */
function expectProblem(answer: string, status: number, code: string): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head)
    .to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
    .and.match(/^content-type: application\/problem\+json\r?$/im);
  const problem = JSON.parse(body) as { status: number; code: string };
  expect([problem.status, problem.code]).to.deep.equal([status, code]);
  expect(Object.keys(problem)).to.include.members(['type', 'title', 'next_step']);
  expect(body).to.not.match(/node_modules|\.ts\b|HPE_|Error:/);
}
