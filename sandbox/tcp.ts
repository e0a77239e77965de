import { createServer, type Socket } from 'node:net';
import { listen } from './vendor.ts';

export interface TcpServer {
  port: number;
  /** Stops listening and cuts what is still connected. */
  close(): Promise<void>;
}

/** Listens for bare connections. A connection that breaks is gone, and nothing else. */
export async function serveTcp(
  onConnection: (socket: Socket) => void,
  options: { host: string; port: number },
): Promise<TcpServer> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  const port = await listen(server, options.host, options.port);
  return {
    port,
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
      await promise;
    },
  };
}

/** Passes everything on between two connections, both ways; the end of one is the end of the other. */
export function join(socket: Socket, other: Socket): void {
  other.on('error', () => other.destroy());
  other.on('close', () => socket.destroy());
  socket.on('close', () => other.destroy());
  socket.pipe(other).pipe(socket);
}
