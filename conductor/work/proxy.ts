import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Channel } from '../workplace/channel.ts';
import { joinSocket } from '../workplace/join-socket.ts';
import { Connected, ConnectOutcome, ConnectRequest } from '../workplace/protocol.ts';

const MAX_HEAD = 64 * 1024;
const HEAD_MS = 30_000;

export interface Proxy {
  port: number;
  close(): void;
}

/** The way out of a place: an HTTP proxy whose connections the conductor makes, if it wants to. `open`: a channel to it. */
export async function startProxy(port: number, open: (request: object) => Channel): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    void serve(socket, open).catch(() => socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

interface Wish {
  host: string;
  port: number;
  /** What the host is sent first. */
  head: Buffer;
  isTunnel: boolean;
}

async function serve(socket: Socket, open: (request: object) => Channel): Promise<void> {
  const read = await readHead(socket);
  if (read === undefined) return void socket.destroy();
  const wish = parseHead(read.head, read.rest);
  if (wish === undefined)
    return refuse(socket, '400 Bad Request', 'This is a proxy for CONNECT and for http:// addresses.');
  const request = ConnectRequest.safeParse({ op: 'connect', host: wish.host, port: wish.port });
  if (!request.success) return refuse(socket, '400 Bad Request', 'That is no host and port.');
  const channel = open(request.data);
  const connected = new Promise<boolean>((resolve) => {
    channel.onTell((message) => resolve(Connected.safeParse(message).success));
    void channel.result.then(
      () => resolve(false),
      () => resolve(false),
    );
  });
  if (!(await connected)) {
    const { data } = ConnectOutcome.safeParse(await channel.result.catch(() => undefined));
    if (data?.busy === true)
      return refuse(socket, '503 Service Unavailable', 'Too many connections of this run at once.');
    if (data?.denied !== undefined) return refuse(socket, '403 Forbidden', data.denied);
    return refuse(socket, '502 Bad Gateway', data?.failed ?? 'The connection could not be made.');
  }
  if (wish.isTunnel) socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (wish.head.length > 0) await channel.send(wish.head);
  await joinSocket(socket, channel);
  channel.close();
}

function refuse(socket: Socket, status: string, text: string): void {
  const body = `${text}\n`;
  const headers = `content-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
}

/** Everything up to the empty line, and what came with it. Undefined when that doesn't come in time, or is too much. */
async function readHead(socket: Socket): Promise<{ head: string; rest: Buffer } | undefined> {
  const { promise, resolve } = Promise.withResolvers<{ head: string; rest: Buffer } | undefined>();
  const timer = setTimeout(() => resolve(undefined), HEAD_MS);
  let bytes: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end !== -1) resolve({ head: bytes.toString('latin1', 0, end), rest: bytes.subarray(end + 4) });
    else if (bytes.length > MAX_HEAD) resolve(undefined);
  };
  const give = (): void => resolve(undefined);
  socket.on('data', take).once('close', give).once('end', give);
  const head = await promise;
  clearTimeout(timer);
  socket.pause();
  socket.off('data', take).off('close', give).off('end', give);
  return head;
}

/** Of the proxy itself, or of this one connection: they don't travel on (RFC 9110 §7.6.1). */
const HOP_BY_HOP = /^(proxy-[\w-]+|connection|keep-alive|te|upgrade)$/i;

function parseHead(head: string, rest: Buffer): Wish | undefined {
  const [first = '', ...lines] = head.split('\r\n');
  const [, method = '', target = ''] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === 'CONNECT') {
    const [, host = '', port = ''] = /^(\[[\da-fA-F:.]+\]|[^[\]:/@]+):(\d{1,5})$/.exec(target) ?? [];
    return host === '' ? undefined : { host: unwrap(host), port: Number(port), head: rest, isTunnel: true };
  }
  const url = URL.parse(target);
  if (url === null || url.protocol !== 'http:' || method === '') return undefined;
  const kept = lines.filter((line) => !HOP_BY_HOP.test(line.slice(0, line.indexOf(':'))) && !/^host:/i.test(line));
  // One request on each connection: the next may be for another host.
  const headers = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    ...kept,
    'Connection: close',
  ];
  const sent = Buffer.concat([Buffer.from(`${headers.join('\r\n')}\r\n\r\n`, 'latin1'), rest]);
  return { host: unwrap(url.hostname), port: Number(url.port || 80), head: sent, isTunnel: false };
}

function unwrap(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
