import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { createStrictServer, type HttpLimits } from '../contract/strict-server.ts';

/** Requests that are being answered may take so long when the server is asked to end. */
const CLOSE_MS = 5_000;

/** What one connection may cost. */
export const LIMITS: HttpLimits = {
  headersMs: 10_000,
  /** Readers of bodies say 408 by themselves before. */
  requestMs: 30_000,
  /** nginx and ALB keep idle connections for 60 s. */
  keepAliveMs: 75_000,
  /** Streams have a heartbeat every 15 s. */
  idleMs: 120_000,
  checkMs: 1_000,
  headerFields: 100,
  /** Per process; far above the streams of progress (1,000) and the database's connections. */
  connections: 4_096,
};

export interface Listening {
  url: string;
  /**
   * Goes on answering for `drainMs`, each time with the last answer of its connection; then takes no more connections, lets what is
   * being answered end, and cuts the rest.
   */
  close(drainMs?: number): Promise<void>;
}

/** Listens; rejects when the port is taken. */
export async function serve(
  handler: RequestListener,
  address: { host: string; port: number },
  limits = LIMITS,
): Promise<Listening> {
  const server = createStrictServer(handler, limits);
  let isEnding = false;
  server.prependListener('request', (_req, res) => {
    if (isEnding) res.setHeader('Connection', 'close');
    // One that began before would keep its connection, and with it the process, for as long as its client likes.
    else res.once('close', () => isEnding && setImmediate(() => server.closeIdleConnections()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port, address: host, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`,
    async close(drainMs = 0) {
      isEnding = true;
      if (drainMs > 0) await wait(drainMs);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}
