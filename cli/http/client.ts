import type { Agent as HttpAgent, ClientRequest, IncomingMessage } from 'node:http';
import { SpoqError } from '../../contract/errors.ts';
import { isLocalhostName } from '../../contract/loopback.ts';
import { ConnectionFailure, describeConnectionError } from './failure.ts';
import { parseServiceUrl } from './url.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Use a connection that is open already, and leave it open: for a command that sends many requests. */
  keepAlive?: boolean;
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  header(name: string): string | undefined;
  /** The body as it arrives. Leaving the loop closes the connection. */
  chunks(): AsyncIterable<Uint8Array>;
  /** The whole body, at most 1 MiB unless told otherwise. */
  text(mostBytes?: number): Promise<string>;
}

/** Sends one request. Rejects with `ConnectionFailure`, or with `cancelled` when the signal fires. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

export interface HttpTimeouts {
  /** Until the connection stands. */
  connectMs: number;
  /** Without a byte. Boxes send a heartbeat every 15 s: after three that don't come, the line is dead. */
  idleMs: number;
  /** Bytes a millisecond of the slowest upload that is waited for. */
  slowestUpload: number;
}

/** 32 bytes a millisecond: a bad mobile connection. */
const DEFAULT_TIMEOUTS: HttpTimeouts = { connectMs: 10_000, idleMs: 45_000, slowestUpload: 32 };
/** Of a line that worked before: a phone that changed its network, a laptop that slept. */
const SILENT = 'was silent for';
const TEXT_LIMIT_BYTES = 1024 * 1024;
/** Three that carry contents, and two for what is asked meanwhile. */
const MAX_SOCKETS = 5;
const PIECE_BYTES = 256 * 1024;
/** What the system may hold of an upload that we have given away: Linux lets it grow so far. */
const HELD_BYTES = 4 * 1024 * 1024;

/** Makes the client. One connection per request, unless it says otherwise: a command sends one or two, and then the process ends. */
export function createHttpClient(version: string, timeouts: HttpTimeouts = DEFAULT_TIMEOUTS): HttpClient {
  const agents = new Map<string, HttpAgent>();
  return async (request) => {
    request.signal.throwIfAborted();
    const url = parseServiceUrl(request.url.href, 'The address');
    const { request: open, Agent } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    if (request.keepAlive === true && !agents.has(url.protocol))
      agents.set(url.protocol, new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }));
    const body = typeof request.body === 'string' ? Buffer.from(request.body) : request.body;
    const outgoing = open({
      method: request.method,
      host: isLocalhostName(url.hostname) ? '127.0.0.1' : url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : Number(url.port),
      path: `${url.pathname}${url.search}`,
      agent: (request.keepAlive === true && agents.get(url.protocol)) || false,
      headers: {
        ...request.headers,
        host: url.host,
        'user-agent': `spoq/${version}`,
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
      },
    });
    return exchange(outgoing, url.host, body, request.signal, timeouts);
  };
}

function exchange(
  outgoing: ClientRequest,
  host: string,
  body: Uint8Array | undefined,
  signal: AbortSignal,
  timeouts: HttpTimeouts,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const watch = watchConnection(outgoing, host, signal);
    watch.expect(timeouts.connectMs);
    const onProgress = (): void => {
      const held = Math.min(body?.length ?? 0, HELD_BYTES);
      watch.expect(timeouts.idleMs + held / timeouts.slowestUpload);
    };
    outgoing.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', onProgress);
      else onProgress();
    });
    outgoing.on('error', (error) => {
      watch.end();
      reject(watch.reason() ?? describeConnectionError(host, error));
    });
    outgoing.on('response', (incoming) => {
      const chunks = (): AsyncIterable<Uint8Array> => readChunks(incoming, host, watch, timeouts.idleMs);
      resolve({
        status: incoming.statusCode ?? 0,
        header: (name) => [incoming.headers[name.toLowerCase()]].flat()[0],
        chunks,
        text: (mostBytes = TEXT_LIMIT_BYTES) => readText(chunks(), mostBytes),
      });
    });
    sendBody(outgoing, body, onProgress);
  });
}

/** A piece at a time: the line's own buffers stay small, and a line that takes nothing any more is noticed. */
function sendBody(outgoing: ClientRequest, body: Uint8Array | undefined, onProgress: () => void): void {
  if (body === undefined || body.length <= PIECE_BYTES) return void outgoing.end(body);
  let at = 0;
  const go = (): void => {
    while (at < body.length) {
      const piece = body.subarray(at, (at += PIECE_BYTES));
      if (!outgoing.write(piece)) return void outgoing.once('drain', go);
    }
    outgoing.end();
  };
  outgoing.on('drain', onProgress);
  go();
}

interface ConnectionWatch {
  /** Something must happen within so many milliseconds from now; else it is told that the host `verb` that time. */
  expect(ms: number, verb?: string): void;
  /** Why we closed the connection ourselves. */
  reason(): Error | undefined;
  end(): void;
}

/** Closes the connection when nothing happens for too long, or when the person stops. */
function watchConnection(outgoing: ClientRequest, host: string, signal: AbortSignal): ConnectionWatch {
  let timer: NodeJS.Timeout | undefined;
  let why: Error | undefined;
  let hasEnded = false;
  const close = (error: Error): void => {
    why ??= error;
    outgoing.destroy(error);
  };
  const onAbort = (): void => close(new SpoqError('cancelled'));
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    expect(ms, verb = 'did not answer within') {
      clearTimeout(timer);
      // Of an upload that was answered before its end the rest may still go out.
      if (hasEnded) return;
      timer = setTimeout(() => close(new ConnectionFailure(host, `${verb} ${Math.round(ms / 1000)} s`)), ms);
    },
    reason: () => why,
    end() {
      hasEnded = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

async function* readChunks(
  incoming: IncomingMessage,
  host: string,
  watch: ConnectionWatch,
  idleMs: number,
): AsyncGenerator<Uint8Array> {
  watch.expect(idleMs, SILENT);
  try {
    for await (const chunk of incoming) {
      watch.expect(idleMs, SILENT);
      yield chunk as Uint8Array;
    }
    const why = watch.reason();
    if (why !== undefined) throw why;
    if (!incoming.complete) throw new ConnectionFailure(host, 'closed the connection');
  } catch (error) {
    throw watch.reason() ?? (error instanceof ConnectionFailure ? error : describeConnectionError(host, error));
  } finally {
    watch.end();
    // Read to its end, the connection may serve another request.
    if (!incoming.complete) incoming.destroy();
  }
}

async function readText(chunks: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > mostBytes) break;
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}
