import { createServer, connect, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { waitFor } from '../test/harness/wait.ts';
import { parseClientHello } from './client-hello.ts';
import type { Edge } from './edge.ts';
import { createTlsEdge } from './tls-edge.ts';

describe('the way to booted boxes', () => {
  let machine: Server;
  let edge: Edge;
  const said: string[] = [];
  const sockets: Socket[] = [];
  let seen = Buffer.alloc(0);
  before(async () => {
    machine = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => (seen = Buffer.concat([seen, chunk])));
    });
    await new Promise<void>((resolve) => machine.listen(0, '127.0.0.1', resolve));
    const { port } = machine.address() as { port: number };
    const resolve = (name: string): string[] =>
      ({ 'alice.spoq.localhost': ['198.18.0.10'], 'off.spoq.localhost': ['198.18.0.11'] })[name] ?? [];
    const findFront = (ipv4: string) => (ipv4 === '198.18.0.10' ? { host: '127.0.0.1', port } : null);
    const deps = { resolve, findFront, say: (sentence: string) => said.push(sentence) };
    edge = await createTlsEdge(deps, { host: '127.0.0.1', port: 0 });
  });
  beforeEach(() => {
    seen = Buffer.alloc(0);
    said.length = 0;
  });
  after(async () => {
    await edge.close();
    for (const socket of sockets) socket.destroy();
    machine.close();
  });

  const dial = (servername: string) => connectTls({ port: edge.port, host: '127.0.0.1', servername });

  it('hands a connection on, whole and unread, to the machine of the name it asks for', async () => {
    const client = dial('Alice.spoq.localhost');
    client.on('error', () => {});
    await waitFor('the ClientHello', () => typeof parseClientHello(seen) === 'object');
    expect(parseClientHello(seen)).to.deep.equal({ name: 'alice.spoq.localhost' });
    client.destroy();
    await waitFor('the machine to hear of the end', () => sockets.at(-1)?.destroyed);
  });

  for (const [name, reason] of [
    ['bob.spoq.localhost', 'There is no DNS record for bob.spoq.localhost in the sandbox.'],
    [
      'off.spoq.localhost',
      'The machine of off.spoq.localhost (198.18.0.11) does not answer: it is off, bare or starting.',
    ],
  ] as const)
    it(`refuses ${name} in TLS's own words and says why`, async () => {
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      dial(name).on('error', (error: Error & { code?: string }) => resolve(error.code));
      expect(await promise).to.equal('ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
      expect(said).to.deep.equal([reason]);
    });

  it('turns away what is not TLS', async () => {
    const socket = connect(edge.port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n\r\n'));
    await new Promise<void>((resolve) => {
      socket.on('close', () => resolve());
      socket.resume();
    });
    expect(said).to.deep.equal(['A connection did not say for whom it is.']);
  });

  it('reads a hello that comes in pieces, and takes no harm from any bytes', async () => {
    const client = dial('alice.spoq.localhost');
    client.on('error', () => {});
    await waitFor('the ClientHello', () => typeof parseClientHello(seen) === 'object');
    const hello = Buffer.from(seen);
    client.destroy();
    for (let length = 0; length < hello.length; length++)
      expect(parseClientHello(hello.subarray(0, length)), `${length} bytes`).to.equal('more');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(hello.length - 1), (bytes, at) => {
        parseClientHello(Buffer.from(bytes));
        const damaged = Buffer.from(hello);
        damaged.set(bytes.subarray(0, hello.length - at), at);
        parseClientHello(damaged);
      }),
      { numRuns: 500 },
    );
  });
});
