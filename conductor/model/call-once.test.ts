import { tool } from 'ai';
import { expect } from 'chai';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import { fetchDirect } from '../reach.ts';
import { beginAnthropic, endAnthropic, speakAnthropic, startModelServer } from '../testing/model-server.ts';
import type { TestModelServer } from '../testing/model-server.ts';
import type { ModelCall } from './call-model.ts';
import { callOnce } from './call-once.ts';
import type { Said } from './call-once.ts';
import { createModel } from './create-model.ts';
import type { Model } from './create-model.ts';

const PRICE = {
  rates: { input: 1e6, cached_input: 1e5, cache_write: 1e6, output: 5e6 },
  source: 'test',
  as_of: '2026-11-27',
};

function openModel(url: string, stallMs = 5_000): Model {
  const provider = { name: 'anthropic', kind: 'anthropic' as const, baseUrl: url, models: [], key: undefined };
  return createModel(provider, 'claude', { price: PRICE, maxOutputTokens: 100, stallMs, apiKey: 'test' }, fetchDirect);
}

function makeCall(signal = new AbortController().signal): ModelCall {
  const look = tool({ description: 'Looks.', inputSchema: z.object({ path: z.string() }) });
  return {
    instructions: 'Be brief.',
    messages: [{ role: 'user', content: 'what is there?' }],
    tools: { look },
    signal,
  } as unknown as ModelCall;
}

function write(res: ServerResponse, event: { type: string } & Record<string, unknown>): void {
  res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

/** Thinks, speaks, and calls two tools, of which the second has what is no input of it. */
function thinkSpeakCall(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = { input_tokens: 12, output_tokens: 1, cache_read_input_tokens: 3 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], usage };
  write(res, { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null } });
  const blocks: [object, object[]][] = [
    [
      { type: 'thinking', thinking: '', signature: '' },
      [
        { type: 'thinking_delta', thinking: 'Look ' },
        { type: 'thinking_delta', thinking: 'first.' },
        { type: 'signature_delta', signature: 'signed' },
      ],
    ],
    [{ type: 'text', text: '' }, ['I ', 'look.'].map((text) => ({ type: 'text_delta', text }))],
    [
      { type: 'tool_use', id: 'call_1', name: 'look', input: {} },
      ['{"path":', '"a.txt"}'].map((partial_json) => ({ type: 'input_json_delta', partial_json })),
    ],
    [
      { type: 'tool_use', id: 'call_2', name: 'look', input: {} },
      [{ type: 'input_json_delta', partial_json: '{"path":7}' }],
    ],
  ];
  for (const [index, [content_block, deltas]] of blocks.entries()) {
    write(res, { type: 'content_block_start', index, content_block });
    for (const delta of deltas) write(res, { type: 'content_block_delta', index, delta });
    write(res, { type: 'content_block_stop', index });
  }
  write(res, {
    type: 'message_delta',
    delta: { stop_reason: 'tool_use', stop_sequence: null },
    usage: { output_tokens: 7 },
  });
  write(res, { type: 'message_stop' });
  res.end();
}

async function listen(said: AsyncIterable<Said>): Promise<Said[]> {
  const events: Said[] = [];
  for await (const event of said) events.push(event);
  return events;
}

describe('one request to a provider', () => {
  let server: TestModelServer;

  before(async () => {
    server = await startModelServer();
  });
  after(() => server.close());

  it('brings words, calls and what it took, and says all of it again as the next request wants to be told it', async () => {
    server.speak = thinkSpeakCall;
    const model = openModel(server.url);
    const events = await listen(callOnce(makeCall(), model, 100));
    const words = events.filter(({ type }) => type === 'text').map((event) => 'text' in event && event.text);
    expect(words.join('')).to.equal('I look.');
    const [one, two, usage, done] = events.slice(-4);
    expect(one).to.deep.equal({ type: 'tool_call', call: 'call_1', tool: 'look', input: { path: 'a.txt' } });
    expect(two).to.include({ type: 'tool_call', call: 'call_2' }).and.have.property('invalid').include('path');
    expect(usage).to.deep.equal({
      type: 'usage',
      usage: { input_tokens: 15, cached_tokens: 3, cache_write_tokens: 0, output_tokens: 7 },
    });
    expect(done).to.include({ type: 'done', stop_reason: 'tool_calls', model, input_tokens: 15, output_tokens: 7 });
    const messages = done !== undefined && 'messages' in done ? done.messages : [];
    expect(messages.map(({ role }) => role)).to.deep.equal(['assistant']);

    server.calls.length = 0;
    const results = ['call_1', 'call_2'].map((toolCallId) => ({
      type: 'tool-result' as const,
      toolCallId,
      toolName: 'look',
      output: { type: 'text' as const, value: 'seen' },
    }));
    const next = [...makeCall().messages, ...messages, { role: 'tool' as const, content: results }];
    await listen(callOnce({ ...makeCall(), messages: next }, model, 100));
    const told = server.calls[0]?.body['messages'] as { content: object[] }[];
    expect(told[1]?.content).to.deep.equal([
      { type: 'thinking', thinking: 'Look first.', signature: 'signed' },
      { type: 'text', text: 'I look.' },
      { type: 'tool_use', id: 'call_1', name: 'look', input: { path: 'a.txt' } },
      { type: 'tool_use', id: 'call_2', name: 'look', input: { path: 7 } },
    ]);
  });

  it('ends the request when it is left, stopped, or waited for in vain', async () => {
    const dropped = async (): Promise<void> => {
      while (server.calls.at(-1)?.dropped !== true) await new Promise((resolve) => setImmediate(resolve));
    };
    server.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'word');
    };
    for await (const event of callOnce(makeCall(), openModel(server.url), 100)) {
      expect(event).to.deep.equal({ type: 'text', text: 'word' });
      break;
    }
    await dropped();

    const own = new AbortController();
    const reason = new SpoqError('cancelled');
    const stopped = callOnce(makeCall(own.signal), openModel(server.url), 100);
    await stopped.next();
    own.abort(reason);
    expect(await stopped.next().catch((error: unknown) => error)).to.equal(reason);
    await dropped();

    const silent = callOnce(makeCall(), openModel(server.url, 50), 100);
    await silent.next();
    expect(await silent.next().catch((error: unknown) => error)).to.have.property('code', 'model_timeout');
    await dropped();
  });

  it('says that an answer broke off', async () => {
    server.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'word');
      res.end();
    };
    const cut = await listen(callOnce(makeCall(), openModel(server.url), 100)).catch((error: unknown) => error);
    expect(cut).to.have.property('code', 'model_failed');
    server.speak = (res) => {
      beginAnthropic(res);
      endAnthropic(res, 'max_tokens');
    };
    const short = await listen(callOnce(makeCall(), openModel(server.url), 100));
    expect(short.at(-1)).to.include({ type: 'done', stop_reason: 'length' });
  });
});
