import type { Server } from 'node:http';
import { once } from 'node:events';
import { SpoqError } from '../contract/errors.ts';
import { createStrictServer } from '../contract/strict-server.ts';
import type { HttpLimits } from '../contract/strict-server.ts';
import type { Conductor } from './app.ts';
import { claimSocketPath, openToGroup } from './socket-file.ts';

export interface Listeners {
  /** The port of the local listener, also when 0 was asked for. */
  port: number;
  socket: string;
  /** Accepts nothing new, ends idle connections, and after `graceMs` every connection. */
  close(graceMs: number): Promise<void>;
}

/** What one connection may cost. Heartbeats keep an answer that streams within all of them. */
export const LIMITS: HttpLimits = {
  headersMs: 10_000,
  /** For 12 MiB of a body, four images: 840 kbit/s; for 4 MiB of text: 280. */
  requestMs: 120_000,
  /** Caddy keeps idle connections for 2 min. */
  keepAliveMs: 150_000,
  idleMs: 150_000,
  checkMs: 1_000,
  headerFields: 100,
  /** Of each listener. */
  connections: 512,
};

/** Listens on 127.0.0.1:`port` for this machine and on the Unix socket for the front door. Both or none. */
export async function openListeners(
  conductor: Pick<Conductor, 'local' | 'remote'>,
  address: { port: number; socket: string },
  limits = LIMITS,
): Promise<Listeners> {
  await claimSocketPath(address.socket);
  const local = createStrictServer(conductor.local.callback(), limits);
  const remote = createStrictServer(conductor.remote.callback(), limits);
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
