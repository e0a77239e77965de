import { connect, type Socket } from 'node:net';
import { parseClientHello } from './client-hello.ts';
import { type Edge, type EdgeDeps, findRoute } from './edge.ts';
import { join, serveTcp, type TcpServer } from './tcp.ts';

/** TLS alert (RFC 8446 §6.2), fatal: unrecognized_name. What a name that leads nowhere is answered. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);
const HELLO_MS = 10_000;

export interface TlsByName {
  /** The connection that a name leads to, or why it leads nowhere. */
  find(name: string): Socket | string;
  /** Hears why a connection leads nowhere. */
  say(sentence: string): void;
}

/**
 * The way to booted boxes, standing for DNS and the internet: the name that a TLS connection asks for leads to a record, the
 * record's address to a machine, and the connection, unread, to that machine's own Caddy.
 */
export async function createTlsEdge(
  deps: EdgeDeps & Pick<TlsByName, 'say'>,
  options: { host: string; port: number },
): Promise<Edge> {
  const find = (name: string): Socket | string => {
    const route = findRoute(deps, name);
    if (typeof route === 'string') return route;
    return 'socketPath' in route ? connect(route.socketPath) : connect(route);
  };
  const { port, close } = await serveTlsByName({ find, say: deps.say }, options);
  return { url: `https://${options.host}:${port}`, port, close };
}

/** Passes TLS connections on, unread but for the name that they ask for. */
export function serveTlsByName(deps: TlsByName, options: { host: string; port: number }): Promise<TcpServer> {
  return serveTcp((socket) => accept(deps, socket), options);
}

function accept({ find, say }: TlsByName, socket: Socket): void {
  let seen = Buffer.alloc(0);
  socket.setTimeout(HELLO_MS, () => socket.destroy());
  socket.on('data', function onData(chunk: Buffer) {
    seen = Buffer.concat([seen, chunk]);
    const hello = parseClientHello(seen);
    if (hello === 'more') return;
    socket.off('data', onData);
    socket.pause();
    socket.setTimeout(0);
    const to = hello === 'none' ? 'A connection did not say for whom it is.' : find(hello.name);
    if (typeof to === 'string') {
      say(to);
      socket.end(UNRECOGNIZED_NAME);
      return;
    }
    to.write(seen);
    join(socket, to);
  });
}
