import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A line to a box that can be made a bad one. */
export interface CutLine {
  /** The box's address by this line. */
  url: string;
  /** Cuts all connections every so often, until it is told to stop; that answers how often there was something to cut. */
  cutEvery(ms: number): () => number;
}

/** Opens one to `target`, a name below localhost. It ends with the process. */
export async function openCutLine(target: URL): Promise<CutLine> {
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(Number(target.port), '127.0.0.1');
    for (const socket of [from, to]) {
      open.add(socket);
      socket.on('error', () => undefined); // It is cut: that is what it is for.
      socket.once('close', () => {
        open.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.origin,
    cutEvery(ms) {
      let cuts = 0;
      const timer = setInterval(() => {
        if (open.size > 0) cuts += 1;
        for (const socket of open) socket.destroy();
      }, ms);
      return () => {
        clearInterval(timer);
        return cuts;
      };
    },
  };
}
