import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConversationEvent } from '../../contract/conversation.ts';

/** A request as it was received. `closed` settles when the client has let go of its connection. */
export interface ReceivedRequest {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  closed: Promise<void>;
}

export type Handler = (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>;

export interface FakeServer extends AsyncDisposable {
  /** http://127.0.0.1:<port> */
  url: string;
  port: number;
  requests: ReceivedRequest[];
}

/** A real HTTP server on a free port; the key is `METHOD /path`. What has no handler is answered 404. */
export async function startFakeServer(handlers: Record<string, Handler>): Promise<FakeServer> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((incoming, response) => {
    void receive(incoming, response).then((request) => {
      const key = `${request.method} ${request.path}`;
      // Who only opens the line says nothing.
      if (key === 'GET /health' && handlers[key] === undefined) return sendJson(response, 200, {});
      requests.push(request);
      const handler = handlers[key] ?? ((_, res) => res.writeHead(404).end());
      return handler(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(incoming: IncomingMessage, response: ServerResponse): Promise<ReceivedRequest> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve));
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString('utf8'),
    closed,
  };
}

/** Answers JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Begins a stream of events. */
export function beginStream(response: ServerResponse): (event: ConversationEvent) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  return (event) => void response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** The first event of an answer. */
export const TEST_START = {
  type: 'start',
  id: 'r1',
  conversation: '4dd3c3a4-6f0f-4be5-8d1c-1b1f0f5b8a01',
  turn: 1,
  kind: 'ask',
  text: 'Why?',
  model: 'test-model',
  at: '2026-11-23T12:00:00.000Z',
} as const satisfies ConversationEvent;

/** A handler that answers with these words. */
export function answerWith(...words: string[]): Handler {
  return (_, response) => {
    const send = beginStream(response);
    send(TEST_START);
    for (const text of words) send({ type: 'text', text });
    send({ type: 'done', stop_reason: 'stop', input_tokens: 1, output_tokens: 1 });
    response.end();
  };
}
