import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { ASK_LIMITS } from '../contract/conductor.ts';
import { exchange, expectProblem, FRAMING_ATTACKS } from '../contract/testing/http-attacks.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';
import { signToken } from './testing/tokens.ts';
import { waitUntil } from './testing/wait-until.ts';

/** Everything within a second or two, so that tests needn't wait for minutes. */
const PATIENT = { requestMs: 60_000 };
const FAST = { headersMs: 200, requestMs: 1_500, keepAliveMs: 200, idleMs: 5_000, checkMs: 20, connections: 3 };
const TRICKLE = Array.from({ length: 100 }, () => 'a');
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';

for (const listener of ['local', 'remote'] as const)
  describe(`requests that no client of a box sends, to the ${listener} listener`, () => {
    let plane: TestControlPlane;
    let model: TestModelServer;
    let conductor: TestConductor;
    /** What lets somebody in. */
    let headers: string;
    const open = new Set<Socket>();

    before(async () => {
      plane = await startControlPlane();
      model = await startModelServer();
      conductor = await startConductor({ plane, model: { baseUrl: model.url }, http: FAST });
      const token = listener === 'remote' ? `Authorization: Bearer ${await signToken(plane.key)}\r\n` : '';
      headers = `Content-Type: application/json\r\n${token}`;
    });
    beforeEach(() => {
      conductor.logs.length = 0;
    });
    afterEach(() => {
      for (const socket of open) socket.destroy();
      open.clear();
      expect(model.calls).to.deep.equal([]);
      expect(conductor.logs.filter(({ level }) => Number(level) >= 50)).to.deep.equal([]);
    });
    after(async () => {
      await conductor?.close();
      await Promise.all([plane?.close(), model?.close()]);
    });

    function dial(to = conductor): Socket {
      const socket = connect(
        listener === 'local' ? { host: '127.0.0.1', ...to.local } : { path: to.remote.socketPath },
      );
      socket.on('error', () => {}); // it is cut: that is what is looked for
      open.add(socket);
      return socket;
    }

    const ask = (framing: string): string =>
      `POST /api/ask HTTP/1.1\r\nHost: localhost\r\n${headers}${framing}\r\n\r\n`;
    const heard = (): unknown[] => conductor.logs.filter(({ msg }) => msg === 'request').map(({ path }) => path);

    describe('Slow requests', () => {
      it('whose headers trickle: 408, and cut', async () => {
        const { answer } = await exchange(dial(), ['GET /health HTTP/1.1\r\nHost: localhost\r\nX: ', ...TRICKLE], 20);
        expectProblem(answer, 408, 'request_timeout');
        expect(heard()).to.deep.equal([]);
      });

      it('whose body trickles: 408, and cut', async () => {
        const { answer } = await exchange(dial(), [ask('Content-Length: 1000'), ...TRICKLE], 20);
        expectProblem(answer, 408, 'request_timeout');
      });

      it('whose chunks trickle: the same', async () => {
        const chunks = TRICKLE.map((one) => `1\r\n${one}\r\n`);
        const { answer } = await exchange(dial(), [ask('Transfer-Encoding: chunked'), ...chunks], 20);
        expectProblem(answer, 408, 'request_timeout');
      });

      it('that never begin: cut', async () => {
        expect(await text(dial()).catch(() => '')).to.match(/^(HTTP\/1\.1 408 |$)/);
      });

      it('beyond so many at once: not taken', async () => {
        const held = [dial(), dial(), dial()];
        await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
        expect(await text(dial()).catch(() => '')).to.equal('');
      });
    });

    it('a body without end: 413, and cut', async () => {
      // With time enough to take what is too much, also on a machine that is busy.
      await using patient = disposable(await startConductor({ plane, model: { baseUrl: model.url }, http: PATIENT }));
      const socket = dial(patient.conductor);
      let answer = '';
      let isClosed = false;
      socket.on('data', (data) => (answer += String(data)));
      socket.once('close', () => (isClosed = true));
      const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`;
      // Who floods on meets a reset instead of the answer: TCP has it so. This one stops, without an end.
      let left = (ASK_LIMITS.body_bytes + 2 ** 20) / 0x10000;
      const write = (): void => {
        while (!socket.destroyed && left-- > 0 && socket.write(chunk));
      };
      socket.on('drain', write);
      socket.write(ask('Transfer-Encoding: chunked'));
      write();
      await waitUntil('the end', () => isClosed);
      expectProblem(answer, 413, 'body_too_large');
      expect(answer).to.match(/^connection: close\r$/im);
      expect(socket.bytesWritten).to.be.greaterThan(ASK_LIMITS.body_bytes);
    });

    describe('Framing', () => {
      for (const { name, status, code, write } of FRAMING_ATTACKS)
        it(`${name}: ${status}, and nothing after it is heard`, async () => {
          const { answer } = await exchange(dial(), [write({ get: '/health', post: '/api/ask', headers }) + SMUGGLED]);
          expectProblem(answer, status, code);
          expect(answer.match(/HTTP\/1\.1 /g)).to.have.length(1);
          expect(heard()).to.not.include('/smuggled');
        });
    });
  });

function disposable(conductor: TestConductor): { conductor: TestConductor } & AsyncDisposable {
  return { conductor, [Symbol.asyncDispose]: () => conductor.close() };
}
