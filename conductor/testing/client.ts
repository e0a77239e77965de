import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { EventSourceMessage } from 'eventsource-parser';
import { Readable } from 'node:stream';

/** Where a listener is: a port of 127.0.0.1, or a Unix socket. */
export type Target = { port: number } | { socketPath: string };

export interface Send {
  method?: string;
  path: string;
  headers?: OutgoingHttpHeaders;
  /** Sent as JSON, unless it is text or bytes. */
  body?: unknown;
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  json: unknown;
}

async function open(target: Target, { method = 'GET', path, headers = {}, body }: Send): Promise<IncomingMessage> {
  const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const req = request({ ...target, host: 'localhost', method, path, agent: false });
  if (body !== undefined) req.setHeader('content-type', 'application/json');
  if (body !== undefined && headers['transfer-encoding'] === undefined) {
    req.setHeader('content-length', Buffer.byteLength(raw));
  }
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) req.setHeader(name, value);
  req.end(raw);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  return res;
}

/** One request and its whole answer. */
export async function send(target: Target, what: Send): Promise<Answer> {
  const res = await open(target, what);
  const body = await text(res);
  const isJson = /[/+]json\b/.test(res.headers['content-type'] ?? '');
  return { status: res.statusCode ?? 0, headers: res.headers, text: body, json: isJson ? JSON.parse(body) : undefined };
}

export interface OpenStream {
  status: number;
  headers: IncomingMessage['headers'];
  /** The next event's data, parsed; undefined at the end. Comments are kept in `comments`. */
  next(): Promise<{ id: string | undefined; event: string | undefined; data: unknown } | undefined>;
  comments: string[];
  /** Goes away without waiting for the end. */
  drop(): void;
}

/** POST /api/ask, read event by event. */
export async function openAsk(target: Target, body: unknown, headers: OutgoingHttpHeaders = {}): Promise<OpenStream> {
  return readEvents(await open(target, { method: 'POST', path: '/api/ask', body, headers }));
}

/** POST of anything that answers events, read one by one. */
export async function openPost(
  target: Target,
  path: string,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): Promise<OpenStream> {
  const res = await open(target, { method: 'POST', path, body, headers });
  if (res.statusCode === 200) return readEvents(res);
  throw new Error(`${path} was answered ${res.statusCode}: ${await text(res)}`);
}

/** GET of events, read one by one. */
export async function openEvents(target: Target, path: string, headers: OutgoingHttpHeaders = {}): Promise<OpenStream> {
  return readEvents(await open(target, { path, headers }));
}

function readEvents(res: IncomingMessage): OpenStream {
  const comments: string[] = [];
  const events = (Readable.toWeb(res) as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream({ onComment: (comment) => comments.push(comment) }))
    .getReader();
  return {
    status: res.statusCode ?? 0,
    headers: res.headers,
    comments,
    async next() {
      const { value } = (await events.read()) as { value: EventSourceMessage | undefined };
      return value === undefined ? undefined : { id: value.id, event: value.event, data: JSON.parse(value.data) };
    },
    drop: () => res.destroy(),
  };
}

/** All events of one question. */
export async function askAll(target: Target, body: unknown, headers: OutgoingHttpHeaders = {}): Promise<unknown[]> {
  const stream = await openAsk(target, body, headers);
  const events: unknown[] = [];
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) events.push(event.data);
  return events;
}

/** Reads the first event of a turn. Answers which conversation it is in. */
export async function readConversation(stream: OpenStream): Promise<string> {
  const first = await stream.next();
  if (first === undefined) throw new Error('the stream has no event');
  return (first.data as { conversation: string }).conversation;
}
