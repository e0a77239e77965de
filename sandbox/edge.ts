import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import type { Front } from './machines/machine.ts';
import { closeServer, listen } from './vendor.ts';

export interface EdgeDeps {
  /** The A records of a name. */
  resolve(name: string): string[];
  /** Where the machine with an address takes connections: undefined when no machine has it, null when it doesn't. */
  findFront(ipv4: string): Front | null | undefined;
}

export interface Edge {
  url: string;
  port: number;
  close(): Promise<void>;
}

/** RFC 9110 §7.6.1, with `expect`, which the server in front has met already. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
];

/**
 * The front door of every box, standing for DNS and the box's Caddy: the name in `Host` leads to a record, the record's
 * address to a machine, and the request to that machine's socket. Nothing is buffered, either way; whoever hangs up
 * first takes the other side along.
 */
export async function createEdge(deps: EdgeDeps, options: { host: string; port: number }): Promise<Edge> {
  const server = createServer((req, res) => forward(deps, req, res));
  const port = await listen(server, options.host, options.port);
  return { url: `http://${options.host}:${port}`, port, close: () => closeServer(server) };
}

function forward(deps: EdgeDeps, req: IncomingMessage, res: ServerResponse): void {
  const host = req.headers.host ?? '';
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const route = findRoute(deps, name);
  if (typeof route === 'string') return refuse(res, route);
  const upstream = request(
    { ...route, method: req.method, path: req.url, headers: forwardHeaders(req, host) },
    (answer) => {
      res.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer.headers));
      res.flushHeaders();
      pipeline(answer, res, () => undefined); // an error has closed both sides: there is nothing left to say
    },
  );
  upstream.on('error', () => {
    if (res.headersSent) res.destroy();
    else refuse(res, `${name} has a machine, but nothing on it took the request.`);
  });
  res.on('close', () => upstream.destroy());
  req.on('error', () => upstream.destroy());
  req.pipe(upstream);
}

/** Where a name leads, or why it leads nowhere. */
export function findRoute(deps: EdgeDeps, name: string): Front | string {
  const addresses = deps.resolve(name);
  if (addresses.length === 0) return `There is no DNS record for ${name} in the sandbox.`;
  const fronts = addresses.map((address) => deps.findFront(address));
  const front = fronts.find((one) => one !== undefined && one !== null);
  if (front) return front;
  const where = addresses.join(', ');
  if (fronts.includes(null)) return `The machine of ${name} (${where}) does not answer: it is off, bare or starting.`;
  return `No machine of the sandbox has the address of ${name} (${where}).`;
}

/** As Caddy does it: what a client claims about itself is replaced, never extended. */
function forwardHeaders(req: IncomingMessage, host: string): IncomingHttpHeaders {
  return {
    ...withoutHopByHop(req.headers),
    host,
    'x-forwarded-for': req.socket.remoteAddress ?? '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': host,
  };
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name) && !named.includes(name)),
  );
}

function refuse(res: ServerResponse, sentence: string): void {
  res.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(`${sentence}\n`);
}
