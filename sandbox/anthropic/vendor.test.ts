import { createAnthropic } from '@ai-sdk/anthropic';
import { APICallError, generateText, streamText } from 'ai';
import { expect } from 'chai';
import { parseEvents } from '../../test/harness/events.ts';
import { waitFor } from '../../test/harness/wait.ts';
import type { AnswerRecord } from '../model/state.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createAnthropicVendor } from './vendor.ts';

const PROMPT = '<file path="src/add.ts">\nexport const add = 1;\n// two\n</file>\n\nWhat does this do?';

interface SentEvent {
  type: string;
  index?: number;
  content_block?: { type: string };
  delta?: { type?: string; partial_json?: string; stop_reason?: string };
}

describe('the Anthropic vendor', () => {
  let running: RunningVendor;
  let key: string;
  beforeEach(async () => {
    running = await runVendor('anthropic', createAnthropicVendor);
    key = running.vendor.credentials['ANTHROPIC_API_KEY'] ?? '';
  });
  afterEach(() => running.close());

  const model = () => createAnthropic({ baseURL: `${running.url}/v1`, apiKey: key })('claude-sonnet-5-5');
  const call = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'anthropic-version': '2023-06-01', ...headers },
      body: JSON.stringify(body),
    });
  const control = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${running.url}/_sandbox${path}`, { headers: { 'content-type': 'application/json' }, ...init });
  const answers = async (): Promise<AnswerRecord[]> => (await control('/answers')).json() as Promise<AnswerRecord[]>;
  const ask = { model: 'claude-haiku-5-5', max_tokens: 500, messages: [{ role: 'user', content: 'Hello?' }] };

  it('answers through the AI SDK about the files it was given, and says what it is', async () => {
    const { text, finishReason, usage } = await generateText({ model: model(), prompt: PROMPT });
    expect(text).to.include("Spoq's sandbox model").and.to.include('not a real language model');
    expect(text).to.include('- `src/add.ts`: 2 lines, 28 bytes').and.to.include('> What does this do?');
    expect(text).to.include('```ts\nexport const add = 1;\n// two\n```');
    expect(finishReason).to.equal('stop');
    expect(usage.outputTokens).to.equal(Math.ceil(text.length / 4));
  });

  it('streams the same words, the first long before the last is said', async () => {
    running.delays.model_chunk_ms = 5;
    const started = performance.now();
    const times: number[] = [];
    let text = '';
    let sentAtFirst: AnswerRecord | undefined;
    const result = streamText({ model: model(), prompt: PROMPT });
    for await (const part of result.textStream) {
      if (times.length === 0) sentAtFirst = (await answers())[0];
      times.push(performance.now() - started);
      text += part;
    }
    const whole = await generateText({ model: model(), prompt: PROMPT });
    expect(text).to.equal(whole.text);
    expect(times.length).to.be.greaterThan(40);
    expect(sentAtFirst?.finished).to.equal(false);
    expect(sentAtFirst?.chunks_sent).to.be.lessThan(sentAtFirst?.chunks_total ?? 0);
    expect((await answers())[0]).to.deep.include({ finished: true, aborted: false, fault: null, stream: true });
  });

  it('sends the events in the documented order', async () => {
    const response = await call({ ...ask, stream: true });
    expect(response.headers.get('content-type')).to.match(/^text\/event-stream/);
    expect(response.headers.get('request-id')).to.match(/^req_01/);
    const events: string[] = [];
    for (const { event = '', data } of parseEvents(await response.text())) {
      expect((JSON.parse(data) as { type: string }).type).to.equal(event);
      if (events.at(-1) !== event) events.push(event);
    }
    expect(events).to.deep.equal([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('says each call as a block of its own, which begins without its input', async () => {
    const calls = [{ name: 'read', input: { path: 'a' } }, { name: 'read' }];
    const script = { match: 'Hello', steps: [{ text: 'Two.', calls }] };
    await control('/scripts', { method: 'POST', body: JSON.stringify(script) });
    const body = { ...ask, stream: true, tools: [{ name: 'read', input_schema: { type: 'object' } }] };
    const events = parseEvents(await (await call(body)).text()).map(({ data }) => JSON.parse(data) as SentEvent);
    expect(events.map((one) => [one.type, one.index, one.content_block?.type ?? one.delta?.type])).to.deep.equal([
      ['message_start', undefined, undefined],
      ['content_block_start', 0, 'text'],
      ['ping', undefined, undefined],
      ['content_block_delta', 0, 'text_delta'],
      ['content_block_stop', 0, undefined],
      ['content_block_start', 1, 'tool_use'],
      ['content_block_delta', 1, 'input_json_delta'],
      ['content_block_stop', 1, undefined],
      ['content_block_start', 2, 'tool_use'],
      ['content_block_delta', 2, 'input_json_delta'],
      ['content_block_stop', 2, undefined],
      ['message_delta', undefined, undefined],
      ['message_stop', undefined, undefined],
    ]);
    expect(events[5]?.content_block).to.deep.include({ name: 'read', input: {} });
    expect(events[6]?.delta?.partial_json).to.equal('{"path":"a"}');
    expect(events[11]?.delta?.stop_reason).to.equal('tool_use');
  });

  it('takes the key as x-api-key or bearer token, with the old and the new version', async () => {
    expect((await call(ask)).status).to.equal(200);
    const headers = { 'x-api-key': '', authorization: `Bearer ${key}`, 'anthropic-version': '2026-10-21' };
    expect((await call(ask, headers)).status).to.equal(200);
  });

  for (const [what, body, headers, status, type, message] of [
    ['no key', ask, { 'x-api-key': '' }, 401, 'authentication_error', 'x-api-key header is required'],
    ['a wrong key', ask, { 'x-api-key': 'sk-ant-no' }, 401, 'authentication_error', 'invalid x-api-key'],
    [
      'no version',
      ask,
      { 'anthropic-version': '' },
      400,
      'invalid_request_error',
      'anthropic-version: header is required',
    ],
    [
      'no max_tokens',
      { ...ask, max_tokens: undefined },
      {},
      400,
      'invalid_request_error',
      'max_tokens: Field required',
    ],
    ['an unknown model', { ...ask, model: 'claude-typo' }, {}, 404, 'not_found_error', 'model: claude-typo'],
  ] as const) {
    it(`refuses ${what} with ${status}`, async () => {
      const response = await call(body, headers);
      const request_id = response.headers.get('request-id');
      expect(response.status).to.equal(status);
      expect(await response.json()).to.deep.equal({ type: 'error', error: { type, message }, request_id });
    });
  }

  it('stops at max_tokens and at stop sequences', async () => {
    const short = await generateText({ model: model(), prompt: 'Hello?', maxOutputTokens: 3 });
    expect(short).to.deep.include({ text: 'I am **Spoq’'.replace('’', "'"), finishReason: 'length' });
    const stopped = await generateText({ model: model(), prompt: 'Hello?', stopSequences: ['sandbox'] });
    expect(stopped).to.deep.include({ text: "I am **Spoq's ", finishReason: 'stop' });
  });

  it('notices that the client has gone and stops speaking', async () => {
    running.delays.model_chunk_ms = 5;
    const controller = new AbortController();
    const result = streamText({ model: model(), prompt: PROMPT, abortSignal: controller.signal, onError: () => {} });
    for await (const part of result.textStream) {
      if (part !== '') controller.abort();
    }
    const [answer] = await waitFor('the abort', async () => {
      const list = await answers();
      return list[0]?.aborted === true && list;
    });
    expect(answer).to.deep.include({ aborted: true, finished: false });
    expect(answer?.chunks_sent).to.be.lessThan(answer?.chunks_total ?? 0);
  });

  for (const [kind, type, status] of [
    ['error', 'api_error', 500],
    ['overloaded', 'overloaded_error', 529],
  ] as const) {
    it(`breaks a stream with ${kind} as told, once`, async () => {
      const told = await control('/stream-faults', {
        method: 'POST',
        body: JSON.stringify({ kind, after_chunks: 2, times: 2 }),
      });
      expect(told.status).to.equal(201);
      const text = await (await call({ ...ask, stream: true })).text();
      expect(text.match(/event: content_block_delta/g)).to.have.length(2);
      expect(text).to.match(new RegExp(`event: error\\ndata: \\{"type":"error","error":\\{"type":"${type}"`));
      expect((await call(ask)).status).to.equal(status);
      expect((await call(ask)).status).to.equal(200);
    });
  }

  it('stalls until the client goes, or cuts the connection', async () => {
    await control('/stream-faults', { method: 'POST', body: '{"kind":"stall","after_chunks":1}' });
    const controller = new AbortController();
    const stalled = await fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      signal: controller.signal,
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ ...ask, stream: true }),
    });
    await waitFor('the stall', async () => (await answers())[0]?.fault === 'stall');
    controller.abort();
    await waitFor('the abort', async () => (await answers())[0]?.aborted === true);
    expect(await stalled.text().catch((error: Error) => error.name)).to.equal('AbortError');
    await control('/stream-faults', { method: 'POST', body: '{"kind":"cut","after_chunks":1}' });
    const cut = await call({ ...ask, stream: true });
    expect(await cut.text().catch((error: Error) => error.name)).to.equal('TypeError');
  });

  it('refuses a stream fault that makes no sense', async () => {
    const response = await control('/stream-faults', { method: 'POST', body: '{"kind":"explode"}' });
    expect(response.status).to.equal(400);
    await control('/stream-faults', { method: 'POST', body: '{"kind":"cut"}' });
    await control('/stream-faults', { method: 'DELETE' });
    expect(await (await control('/stream-faults')).json()).to.deep.equal([]);
  });

  it('lets the AI SDK see injected HTTP faults', async () => {
    running.faults.add({
      vendor: 'anthropic',
      path: '/messages',
      status: 429,
      headers: { 'retry-after': '1' },
      body: { type: 'error', error: { type: 'rate_limit_error', message: 'Slow down' }, request_id: 'req_1' },
    });
    const failure: unknown = await generateText({ model: model(), prompt: 'Hi', maxRetries: 0 }).catch(
      (error: unknown) => error,
    );
    expect(APICallError.isInstance(failure) && [failure.statusCode, failure.message]).to.deep.equal([429, 'Slow down']);
  });

  it('lists models and counts tokens', async () => {
    const headers = {
      authorization: `Bearer ${key}`,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
    };
    const list = async (query: string): Promise<{ data: { id: string }[]; has_more: boolean }> =>
      (await (await fetch(`${running.url}/v1/models${query}`, { headers })).json()) as never;
    const ids = (await list('')).data.map(({ id }) => id);
    expect(ids).to.include.members(['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5']);
    const page = await list(`?limit=2&after_id=${ids[0]}`);
    expect([page.data.map(({ id }) => id), page.has_more]).to.deep.equal([ids.slice(1, 3), true]);
    const before = await list(`?limit=2&before_id=${ids[3]}`);
    expect([before.data.map(({ id }) => id), before.has_more]).to.deep.equal([ids.slice(1, 3), true]);
    expect((await fetch(`${running.url}/v1/models?limit=0`, { headers })).status).to.equal(400);
    expect((await fetch(`${running.url}/v1/models/claude-nope`, { headers })).status).to.equal(404);
    expect((await fetch(`${running.url}/v1/nothing`, { headers })).status).to.equal(404);
    const counted = await fetch(`${running.url}/v1/messages/count_tokens`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: ask.model, messages: ask.messages }),
    });
    expect(await counted.json()).to.deep.equal({ input_tokens: 2 });
  });
});
