import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SpoqError, type ErrorCode } from './errors.ts';
import { toProblem } from './problem.ts';

/** What one connection may cost. None of it touches an answer that streams: it is over once the request has come. */
export interface HttpLimits {
  /** From the first byte to the end of the headers. */
  headersMs: number;
  /** The whole request. */
  requestMs: number;
  /** Longer than the proxy in front keeps idle connections: it must be the one to hang up. */
  keepAliveMs: number;
  /** Nothing sent and nothing taken, by a download that is stuck, say. */
  idleMs: number;
  /** How often the first two are looked at. */
  checkMs: number;
  headerFields: number;
  connections: number;
}

/**
 * A server, not listening yet, that reads HTTP to the letter: what two programs may read in two ways (RFC 9112 §11.2) is refused as a
 * problem document, and its connection is closed, so that a proxy in front of it and we see the same requests. Who is slow hears 408.
 */
export function createStrictServer(handler: RequestListener, limits: HttpLimits): Server {
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
  const answering = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();
  server.on('request', (req, res) => {
    if (refused.has(req.socket)) return; // it came in the same packet, and its connection is being closed
    answering.set(req.socket, res);
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
  return server;
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
