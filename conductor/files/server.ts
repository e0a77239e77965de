import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { z } from 'zod';
import type { Logger } from 'pino';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput, toProblem } from '../../contract/problem.ts';
import { describeBug } from '../problems.ts';
import { encodeEnvelope, readEnvelope } from './envelope.ts';
import type { FilesAnswer } from './envelope.ts';
import { applyToWorkspace, scanWorkspace, sendContents, takeContents } from './operations.ts';
import { takeSnapshot } from './snapshot.ts';
import { watchWorkspace } from './watch.ts';
import { createWorkspaces } from './workspaces.ts';
import type { Workspaces } from './workspaces.ts';

export interface FilesServer {
  /** Settles when nobody has come for `idleMs`, or after `close`. */
  ended: Promise<void>;
  close(): Promise<void>;
}

export interface FilesOptions {
  /** The owner's home. */
  home: string;
  /** Where to listen: a path, or a socket that whoever started us has opened. */
  listen: { path: string } | { fd: number };
  /** After so long without anybody, it ends. Left out: never. */
  idleMs?: number;
  log: Logger;
}

const Request = z.strictObject({
  operation: z.enum(['list', 'scan', 'contents', 'fetch', 'apply', 'watch', 'snapshot']),
  workspace: z.string(),
  parameters: z.unknown().optional(),
  encoding: z.literal('zstd').optional(),
});

/** Serves the owner's files to the conductor. */
export async function serveFiles({ home, listen, idleMs, log }: FilesOptions): Promise<FilesServer> {
  const workspaces = createWorkspaces(home, (error) => log.error(describeBug(error), 'bug'));
  const sockets = new Set<Socket>();
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const close = (): Promise<void> =>
    new Promise((done) => {
      clearTimeout(timer);
      server.close(() => {
        workspaces.flush();
        resolve();
        done();
      });
      for (const socket of sockets) socket.destroy();
    });
  const restTimer = (): void => {
    clearTimeout(timer);
    if (idleMs !== undefined && sockets.size === 0) timer = setTimeout(() => void close(), idleMs);
  };
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    restTimer();
    socket.once('close', () => {
      sockets.delete(socket);
      restTimer();
    });
    socket.on('error', () => socket.destroy());
    void answer(workspaces, socket, log);
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(listen, done);
  });
  if ('path' in listen) chmodSync(listen.path, 0o660);
  restTimer();
  return { ended, close };
}

async function answer(workspaces: Workspaces, socket: Socket, log: Logger): Promise<void> {
  try {
    const head = await readEnvelope(socket);
    if (head === undefined) return void socket.destroy(); // Somebody looked whether we listen.
    const request = parseInput(Request, head);
    const body = await perform(workspaces, request, socket);
    await pipeline(Readable.from(body), socket);
  } catch (error) {
    if (socket.destroyed) return;
    const failure = error instanceof SpoqError ? error : new SpoqError('internal');
    if (failure !== error) log.error(describeBug(error), 'bug');
    const refusal: FilesAnswer = { ok: false, problem: toProblem(failure) };
    // Who still sends hears why, and then nobody reads any more.
    socket.end(encodeEnvelope(refusal), () => socket.destroySoon());
    socket.resume();
  }
}

/** The answer, as bytes: its description, and a body where there is one. */
async function perform(
  workspaces: Workspaces,
  { operation, workspace: name, parameters, encoding }: z.infer<typeof Request>,
  socket: Socket,
): Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>> {
  const tell = (value: unknown): [Buffer] => [encodeEnvelope({ ok: true, value })];
  if (operation === 'list') return tell(workspaces.list());
  const workspace = workspaces.open(name);
  switch (operation) {
    case 'scan':
      return tell(await workspace.inTurn(() => scanWorkspace(workspace, parameters)));
    case 'contents':
      return tell(await takeContents(workspace, socket, encoding));
    case 'apply':
      return tell(await workspace.inTurn(() => applyToWorkspace(workspace, socket, encoding)));
    case 'snapshot':
      return tell(await workspace.inTurn(() => takeSnapshot(workspace)));
    case 'watch':
      return stream(watchWorkspace(workspace, socket));
    case 'fetch':
      return stream(sendContents(workspace, parameters));
    default:
      throw new SpoqError('not_found');
  }
}

/** A body behind its description. What fails before the first byte is still told as a failure. */
async function stream(body: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const first = await body.next();
  return (async function* () {
    yield encodeEnvelope({ ok: true });
    if (first.done !== true) yield first.value;
    yield* body;
  })();
}
