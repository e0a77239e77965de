import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { SpoqError, type ErrorCode } from '../contract/errors.ts';
import { toProblem } from '../contract/problem.ts';

/** Requests that are being answered may take so long when the server is asked to end. */
const CLOSE_MS = 5_000;

/** What one connection may cost. None of it touches an answer that streams: it is over once the request has come. */
export const LIMITS = {
  /** From the first byte to the end of the headers. */
  headersMs: 10_000,
  /** The whole request; readers of bodies say 408 by themselves before. */
  requestMs: 30_000,
  /** Longer than proxies keep idle connections (nginx and ALB: 60 s): they must be the ones to hang up. */
  keepAliveMs: 75_000,
  /** Nothing sent and nothing taken, by a download that is stuck, say. Streams have a heartbeat every 15 s. */
  idleMs: 120_000,
  /** How often the first two are looked at. */
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
  const server = createServer({
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: limits.checkMs,
    requireHostHeader: false, // findHeaderFault does, and says so in a way that can be read
  });
  server.timeout = limits.idleMs;
  server.maxConnections = limits.connections;
  // Node would drop the headers beyond its limit without a word, and what our proxy has appended comes last. We count ourselves.
  server.maxHeadersCount = 0;
  let isEnding = false;
  const answering = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();
  server.on('request', (req, res) => {
    if (refused.has(req.socket)) return; // it came in the same packet, and its connection is being closed
    answering.set(req.socket, res);
    if (isEnding) res.setHeader('Connection', 'close');
    // One that began before would keep its connection, and with it the process, for as long as its client likes.
    else res.once('close', () => isEnding && setImmediate(() => server.closeIdleConnections()));
    const fault = findHeaderFault(req, limits.headerFields);
    if (fault === undefined) return handler(req, res);
    refused.add(req.socket);
    req.resume();
    refuse(res, fault);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answering.get(socket);
    // A second answer to the same request would be taken for that of the next.
    const isAnswered = answer !== undefined && answer.headersSent && !(answer.writableFinished && answer.req.complete);
    if (isAnswered || !socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else cutOff(socket as Socket, toRefusal(error.code));
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

/** RFC 9112 §3.2: a request with two Host headers, or none, is for nobody. Node takes the first. */
function findHeaderFault({ rawHeaders, httpVersion }: IncomingMessage, most: number): SpoqError | undefined {
  if (rawHeaders.length > 2 * most)
    return new SpoqError('headers_too_large', { detail: `There are more than ${most} header fields.` });
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  if (hosts === 1 || (hosts === 0 && httpVersion === '1.0')) return undefined;
  return new SpoqError('invalid_request', { detail: 'There must be one Host.' });
}

/** What Node's parser gave up for. */
function toRefusal(code: string | undefined): SpoqError {
  const codes: Record<string, ErrorCode> = {
    ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
    HPE_HEADER_OVERFLOW: 'headers_too_large',
    HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  };
  return new SpoqError(codes[code ?? ''] ?? 'invalid_request', { detail: 'This could not be read as HTTP.' });
}

/** The body of a refusal and its headers. */
function describe(error: SpoqError): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify(toProblem(error));
  return {
    body,
    headers: {
      'Content-Type': 'application/problem+json',
      'Content-Length': String(Buffer.byteLength(body)),
      'Cache-Control': 'no-store',
      Connection: 'close',
    },
  };
}

function refuse(res: ServerResponse, error: SpoqError): void {
  const { body, headers } = describe(error);
  res.writeHead(error.status, headers).end(body);
}

/** For a connection on which there is no request to answer. */
function cutOff(socket: Socket, error: SpoqError): void {
  const { body, headers } = describe(error);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${error.status} ${error.title}\r\n${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
