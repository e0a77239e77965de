import { expect } from 'chai';
import Koa from 'koa';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { exchange, expectProblem, FRAMING_ATTACKS } from '../contract/testing/http-attacks.ts';
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

  const FORM_TYPE = 'Content-Type: application/x-www-form-urlencoded\r\n';
  const FORM = `Host: localhost\r\n${FORM_TYPE}`;

  describe('Slow requests', () => {
    const trickle = Array.from({ length: 60 }, () => 'a');

    it('whose headers trickle: 408, and cut', async () => {
      const { answer, ms } = await exchange(dial(), ['GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', ...trickle], 25);
      expectProblem(answer, 408, 'request_timeout');
      expect(ms).to.be.lessThan(2_000);
      expect(seen).to.deep.equal([]);
    });

    it('whose body trickles: 408, and cut', async () => {
      const { answer } = await exchange(
        dial(),
        [`POST / HTTP/1.1\r\n${FORM}Content-Length: 1000\r\n\r\n`, ...trickle],
        25,
      );
      expectProblem(answer, 408, 'request_timeout');
      expect(answer).to.match(/^Connection: close\r$/im);
      expect(seen).to.deep.equal([]);
    });

    it('whose chunks trickle: the same', async () => {
      const chunks = trickle.map((one) => `1\r\n${one}\r\n`);
      const { answer } = await exchange(
        dial(),
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
      const idle = await exchange(dial(), ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n']);
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
    for (const { name, status, code, write } of FRAMING_ATTACKS)
      it(`${name}: ${status}, and nothing after it is heard`, async () => {
        const { answer } = await exchange(dial(), [write({ get: '/', post: '/', headers: FORM_TYPE }) + SMUGGLED]);
        expectProblem(answer, status, code);
        expect(answer.match(/HTTP\/1\.1 /g)).to.have.length(1);
        expect(seen).to.deep.equal([]);
      });

    it('two requests in one packet: two answers', async () => {
      const one = 'GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n';
      const { answer } = await exchange(dial(), [`${one}${one.replace('/one', '/two')}`]);
      expect(answer.match(/HTTP\/1\.1 200 /g)).to.have.length(2);
      expect(seen).to.deep.equal(['GET /one localhost', 'GET /two localhost']);
    });

    it('a hundred headers: the last is heard as well', async () => {
      const { answer } = await exchange(dial(), [
        `GET / HTTP/1.1\r\n${'a:\r\n'.repeat(99)}Host: localhost\r\nConnection: close\r\n\r\n`,
      ]);
      expect(answer).to.match(/^HTTP\/1\.1 431 /);
      const fits = await exchange(dial(), [
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
