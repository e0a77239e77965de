import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { startFakeServer } from '../testing/fake-server.ts';
import { createHttpClient } from './client.ts';
import type { HttpRequest } from './client.ts';

const http = createHttpClient('1.2.3', { connectMs: 300, idleMs: 300, slowestUpload: 100_000 });
const signal = new AbortController().signal;
const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: new URL(url),
  signal,
  ...more,
});
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

/** A TCP server that does with a connection what it is told. */
async function startTcp(onConnection: (socket: Socket) => void): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('createHttpClient', () => {
  it('dials names under localhost on this machine and says who it is', async () => {
    await using server = await startFakeServer({
      'POST /a?b=1': (_, res) => void res.writeHead(201, { 'x-y': 'z' }).end('body'),
    });
    const url = `http://alice.spoq.localhost:${server.port}/a?b=1`;
    const response = await http(get(url, { method: 'POST', body: 'ü', headers: { accept: '*/*' } }));
    expect({ status: response.status, header: response.header('X-Y'), text: await response.text() }).to.deep.equal({
      status: 201,
      header: 'z',
      text: 'body',
    });
    const [request] = server.requests;
    expect(request?.body).to.equal('ü');
    expect(request?.headers).to.deep.equal({
      accept: '*/*',
      connection: 'close',
      'content-length': '2',
      host: `alice.spoq.localhost:${server.port}`,
      'user-agent': 'spoq/1.2.3',
    });
  });

  it('never sends in clear to another machine', async () => {
    expect(await failure(http(get('http://spoq.dev/')))).to.include({ code: 'invalid_request' });
  });

  it('follows no redirect: what it sends is for nobody else', async () => {
    await using elsewhere = await startFakeServer({});
    await using server = await startFakeServer({
      'GET /': (_, response) => void response.writeHead(302, { location: `${elsewhere.url}/` }).end(),
    });
    const answer = await http(get(`${server.url}/`, { headers: { authorization: 'Bearer access-1' } }));
    expect([answer.status, elsewhere.requests]).to.deep.equal([302, []]);
  });

  it('tells a refused connection and an unknown name apart', async () => {
    expect(await failure(http(get('http://127.0.0.1:1/')))).to.include({
      reason: 'refused the connection',
      host: '127.0.0.1:1',
    });
    const unknown = await failure(http(get('https://nothing.invalid/')));
    expect(unknown)
      .to.have.property('reason')
      .that.matches(/^has no address/);
  });

  it('gives up on a server that accepts and says nothing', async () => {
    await using server = await startTcp(() => undefined);
    expect(await failure(http(get(server.url)))).to.include({ reason: 'did not answer within 0 s' });
  });

  it('gives up on an upload that nobody takes any more, and on none that goes on', async () => {
    const body = new Uint8Array(24 * 1024 * 1024);
    await using stuck = await startTcp((socket) => void socket.pause());
    expect(await failure(http(get(stuck.url, { method: 'POST', body })))).to.include({
      reason: 'did not answer within 0 s',
    });
    // It takes a little every so often, for longer than would be waited for nothing.
    const idleMs = 2500;
    const patient = createHttpClient('1.2.3', { connectMs: idleMs, idleMs, slowestUpload: body.length });
    await using slow = await startTcp((socket) => {
      let taken = 0;
      socket.on('data', (chunk) => {
        taken += chunk.length;
        if (taken >= body.length) return socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine');
        socket.pause();
        setTimeout(() => socket.resume(), 10);
      });
    });
    const began = performance.now();
    const response = await patient(get(slow.url, { method: 'POST', body }));
    expect(await response.text()).to.equal('fine');
    expect(performance.now() - began).to.be.above(idleMs + 1);
  });

  it('gives up on an answer that stops in the middle', async () => {
    await using server = await startTcp(
      (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
    );
    const response = await http(get(server.url));
    expect(await failure(response.text())).to.include({ reason: 'was silent for 0 s' });
  });

  it('notices an answer that was cut', async () => {
    await using server = await startTcp(
      (socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
    );
    const response = await http(get(server.url));
    expect(await failure(response.text())).to.include({ reason: 'closed the connection' });
  });

  it('does not trust a certificate that nobody signed', async () => {
    await using server = await startTcp((socket) => void socket.end('not tls'));
    const url = server.url.replace('http:', 'https:');
    expect(await failure(http(get(url)))).to.have.property('name', 'ConnectionFailure');
  });

  it('closes the connection when the person stops', async () => {
    await using server = await startFakeServer({ 'GET /': (_, res) => void res.writeHead(200).write('first') });
    const stop = new AbortController();
    const response = await http(get(server.url, { signal: stop.signal }));
    const reading = failure(
      (async () => {
        for await (const _ of response.chunks()) stop.abort(new SpoqError('cancelled'));
      })(),
    );
    expect(await reading).to.include({ code: 'cancelled' });
    await server.requests[0]?.closed;
    expect(await failure(http(get(server.url, { signal: stop.signal })))).to.include({ code: 'cancelled' });
  });

  it('closes the connection when the reader has enough', async () => {
    await using server = await startFakeServer({ 'GET /': (_, res) => void res.writeHead(200).write('first') });
    const response = await http(get(server.url));
    for await (const _ of response.chunks()) break;
    await server.requests[0]?.closed;
  });
});
