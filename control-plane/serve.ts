import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Requests that are being answered may take so long when the server is asked to end. */
const CLOSE_MS = 5_000;

export interface Listening {
  url: string;
  /** Takes no more connections, lets what is being answered end, then cuts the rest. */
  close(): Promise<void>;
}

/** Listens; rejects when the port is taken. */
export async function serve(handler: RequestListener, address: { host: string; port: number }): Promise<Listening> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port, address: host, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}
