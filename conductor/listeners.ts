import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { once } from 'node:events';
import { SpoqError } from '../contract/errors.ts';
import type { Conductor } from './app.ts';
import { claimSocketPath, openToGroup } from './socket-file.ts';

export interface Listeners {
  /** The port of the local listener, also when 0 was asked for. */
  port: number;
  socket: string;
  /** Accepts nothing new, ends idle connections, and after `graceMs` every connection. */
  close(graceMs: number): Promise<void>;
}

/** Slow senders are cut off: 10 s for the headers, 2 min for 4 MiB of a body (280 kbit/s). */
const HEADERS_MS = 10_000;
const REQUEST_MS = 120_000;
/** Longer than Caddy keeps idle connections (2 min): the front door must be the one to hang up. */
const KEEP_ALIVE_MS = 150_000;
const MAX_CONNECTIONS = 512;

/** Listens on 127.0.0.1:`port` for this machine and on the Unix socket for the front door. Both or none. */
export async function openListeners(
  conductor: Pick<Conductor, 'local' | 'remote'>,
  address: { port: number; socket: string },
): Promise<Listeners> {
  await claimSocketPath(address.socket);
  const local = createHttpServer(conductor.local.callback());
  const remote = createHttpServer(conductor.remote.callback());
  const close = (graceMs: number): Promise<void> => closeServers([local, remote], graceMs);
  try {
    await listen(local, { host: '127.0.0.1', port: address.port });
    await listen(remote, { path: address.socket });
    await openToGroup(address.socket);
  } catch (error) {
    await close(0);
    throw error;
  }
  const bound = local.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    socket: address.socket,
    close,
  };
}

function createHttpServer(handle: RequestListener): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1000,
    },
    handle,
  );
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function listen(server: Server, where: { host: string; port: number } | { path: string }): Promise<void> {
  server.listen(where);
  try {
    await once(server, 'listening');
  } catch (error) {
    const at = 'path' in where ? where.path : `${where.host}:${where.port}`;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new SpoqError('conflict', {
      detail: `${at} cannot be listened on (${reason}).`,
      next: 'Stop what uses it, or choose another with --port or --socket.',
      cause: error,
    });
  }
}

async function closeServers(servers: Server[], graceMs: number): Promise<void> {
  const cut = setTimeout(() => {
    for (const server of servers) server.closeAllConnections();
  }, graceMs);
  await Promise.all(
    servers.map(async (server) => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
    }),
  );
  clearTimeout(cut);
}
