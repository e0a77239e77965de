import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import Koa from 'koa';
import { SpoqError } from '../contract/errors.ts';
import { openListeners } from './listeners.ts';
import type { Listeners } from './listeners.ts';
import { send } from './testing/client.ts';
import type { RequestState } from './web.ts';

function createNamedApp(name: string): Koa<RequestState> {
  const app = new Koa<RequestState>();
  app.use((ctx) => {
    ctx.body = name;
  });
  return app;
}

describe('listeners', () => {
  let dir: string;
  let socket: string;
  let open: { close(graceMs: number): Promise<void> }[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'listen-'));
    socket = join(dir, 'run', 'remote.sock');
    open = [];
  });
  afterEach(async () => {
    for (const listeners of open) await listeners.close(0);
    await rm(dir, { recursive: true, force: true });
  });

  async function openBoth(port = 0): Promise<Listeners> {
    const apps = { local: createNamedApp('local'), remote: createNamedApp('remote') };
    const listeners = await openListeners(apps, { port, socket });
    open.push(listeners);
    return listeners;
  }

  async function readFailure(work: Promise<unknown>): Promise<unknown> {
    return work.then(
      () => 'opened',
      (error: unknown) =>
        error instanceof SpoqError ? { code: error.code, detail: error.detail, next: error.next } : error,
    );
  }

  /** What a conductor leaves that was killed: a socket file that nobody listens on. */
  async function leaveStaleSocket(): Promise<void> {
    const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', script]), 'exit');
  }

  it('serves each application on its own way in, and nobody else on the socket', async () => {
    const { port } = await openBoth();
    expect((await send({ port }, { path: '/' })).text).to.equal('local');
    expect((await send({ socketPath: socket }, { path: '/' })).text).to.equal('remote');
    const mode = (await stat(socket)).mode & 0o777;
    expect(mode.toString(8)).to.equal('660');
    expect(((await stat(join(dir, 'run'))).mode & 0o777).toString(8)).to.equal('750');
  });

  it('leaves neither port nor socket when it closes', async () => {
    const { port, close } = await openBoth();
    open.pop();
    await close(0);
    expect(await stat(socket).catch((error: NodeJS.ErrnoException) => error.code)).to.equal('ENOENT');
    expect((await openBoth(port)).port).to.equal(port);
  });

  it('takes the place of a socket that nobody listens on', async () => {
    await (await openBoth()).close(0);
    await leaveStaleSocket();
    expect((await stat(socket)).isSocket()).to.equal(true);
    await openBoth();
    expect((await send({ socketPath: socket }, { path: '/' })).text).to.equal('remote');
  });

  it('refuses a socket on which another one listens, and leaves it working', async () => {
    await openBoth();
    expect(await readFailure(openBoth())).to.deep.equal({
      code: 'conflict',
      detail: `Another conductor is listening on ${socket}.`,
      next: 'Stop it first, or give another path with --socket.',
    });
    expect((await send({ socketPath: socket }, { path: '/' })).text).to.equal('remote');
  });

  it('refuses a file that is no socket, and leaves it whole', async () => {
    socket = join(dir, 'file');
    await writeFile(socket, 'precious');
    expect(await readFailure(openBoth())).to.deep.equal({
      code: 'conflict',
      detail: `${socket} exists and is not a socket.`,
      next: 'Move it away, or give another path with --socket.',
    });
    expect(await readFile(socket, 'utf8')).to.equal('precious');
  });

  it('refuses a path that no socket can have', async () => {
    socket = join(dir, 'x'.repeat(100));
    expect(await readFailure(openBoth())).to.deep.include({ code: 'invalid_request' });
  });

  it('says which port is taken, and leaves no socket behind', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await readFailure(openBoth(port))).to.deep.equal({
      code: 'conflict',
      detail: `127.0.0.1:${port} cannot be listened on (EADDRINUSE).`,
      next: 'Stop what uses it, or choose another with --port or --socket.',
    });
    expect(await stat(socket).catch((error: NodeJS.ErrnoException) => error.code)).to.equal('ENOENT');
    other.close();
    await once(other, 'close');
  });
});
