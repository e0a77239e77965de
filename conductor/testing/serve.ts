import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';

export interface TestServer {
  /** Base URL without a trailing slash. */
  url: string;
  close(): Promise<void>;
}

/** A real HTTP server on 127.0.0.1, on a free port unless one is named. */
export async function serve(handle: RequestListener, port = 0): Promise<TestServer> {
  const server = createServer(handle);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
