import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { serve } from './serve.ts';

export interface ModelCall {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  /** The connection was closed before the answer had ended. */
  dropped: boolean;
}

export type Speak = (res: ServerResponse, call: ModelCall, number: number) => void | Promise<void>;

export interface TestModelServer {
  url: string;
  /** Every call, the body whole; `{}` where there is none. */
  calls: ModelCall[];
  /** What the next calls do; replaced at will. */
  speak: Speak;
  close(): Promise<void>;
}

/** A model provider of which the test decides every byte. */
export async function startModelServer(port?: number): Promise<TestModelServer> {
  const server = await serve((req, res) => void answer(req, res), port);
  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const sent = await text(req);
    const body = (sent === '' ? {} : JSON.parse(sent)) as Record<string, unknown>;
    const call: ModelCall = { path: req.url ?? '', headers: req.headers, body, dropped: false };
    res.once('close', () => {
      call.dropped = !res.writableFinished;
    });
    model.calls.push(call);
    await model.speak(res, call, model.calls.length);
  }
  const model: TestModelServer = {
    url: server.url,
    calls: [],
    speak: (res) => sayAnthropic(res, ['Hello', ' there']),
    close: () => server.close(),
  };
  return model;
}

function writeEvent(res: ServerResponse, event: { type: string } & Record<string, unknown>): void {
  res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Begins a Messages stream: up to the first, empty block of text. */
export function beginAnthropic(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = { input_tokens: 12, output_tokens: 1 };
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  writeEvent(res, { type: 'message_start', message });
  writeEvent(res, { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
}

export function speakAnthropic(res: ServerResponse, text: string): void {
  writeEvent(res, { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
}

export function failAnthropic(res: ServerResponse, type: string, message: string): void {
  writeEvent(res, { type: 'error', error: { type, message } });
}

export function endAnthropic(res: ServerResponse, stopReason = 'end_turn'): void {
  writeEvent(res, { type: 'content_block_stop', index: 0 });
  writeEvent(res, {
    type: 'message_delta',
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: 7 },
  });
  writeEvent(res, { type: 'message_stop' });
  res.end();
}

/** A whole Messages answer at once. */
export function sayAnthropic(res: ServerResponse, words: string[], stopReason?: string): void {
  beginAnthropic(res);
  for (const word of words) speakAnthropic(res, word);
  endAnthropic(res, stopReason);
}

/** A Messages error before the stream. */
export function refuseAnthropic(
  res: ServerResponse,
  status: number,
  type: string,
  headers: Record<string, string> = {},
  message = type,
): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ type: 'error', error: { type, message }, request_id: 'req_1' }));
}

/** A whole Responses answer of OpenAI; without `end` it stays open after the words. */
export function sayOpenAi(res: ServerResponse, words: string[], end = true): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const response = {
    id: 'resp_1',
    object: 'response',
    created_at: 1_790_000_000,
    model: 'gpt',
    status: 'in_progress',
    output: [],
  };
  const item = { id: 'item_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] };
  let sequence_number = 0;
  const write = (event: { type: string } & Record<string, unknown>): void => {
    writeEvent(res, { ...event, sequence_number });
    sequence_number += 1;
  };
  write({ type: 'response.created', response });
  write({ type: 'response.output_item.added', output_index: 0, item });
  for (const delta of words) {
    write({ type: 'response.output_text.delta', item_id: 'item_1', output_index: 0, content_index: 0, delta });
  }
  if (!end) return;
  write({ type: 'response.output_item.done', output_index: 0, item: { ...item, status: 'completed' } });
  const usage = { input_tokens: 12, output_tokens: 7, total_tokens: 19 };
  write({ type: 'response.completed', response: { ...response, status: 'completed', usage } });
  res.end();
}

/** A whole answer as servers give it that speak like OpenAI's chat completions. */
export function sayCompatible(res: ServerResponse, words: string[]): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const write = (rest: object): void => {
    res.write(
      `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', ...rest })}\n\n`,
    );
  };
  for (const content of words) write({ choices: [{ index: 0, delta: { role: 'assistant', content } }] });
  write({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  write({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 } });
  res.end('data: [DONE]\n\n');
}
