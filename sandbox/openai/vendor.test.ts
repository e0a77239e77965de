import { createOpenAI } from '@ai-sdk/openai';
import { generateText, streamText, type LanguageModel } from 'ai';
import { expect } from 'chai';
import { parseEvents } from '../../test/harness/events.ts';
import { waitFor } from '../../test/harness/wait.ts';
import type { AnswerRecord } from '../model/state.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createOpenAIVendor } from './vendor.ts';

const PROMPT = '### src/add.ts\n```ts\nexport const add = 1;\n// two\n```\n\nWhat does this do?';

describe('the OpenAI vendor', () => {
  let running: RunningVendor;
  let key: string;
  beforeEach(async () => {
    running = await runVendor('openai', createOpenAIVendor);
    key = running.vendor.credentials['OPENAI_API_KEY'] ?? '';
  });
  afterEach(() => running.close());

  const models = (): Record<'responses' | 'chat', LanguageModel> => {
    const provider = createOpenAI({ baseURL: `${running.url}/v1`, apiKey: key });
    return { responses: provider.responses('gpt-5.5'), chat: provider.chat('gpt-4.1') };
  };
  const call = (path: string, body: object | string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${running.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const control = (path: string, body?: object): Promise<Response> =>
    fetch(`${running.url}/_sandbox${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const answers = async (): Promise<AnswerRecord[]> => (await control('/answers')).json() as Promise<AnswerRecord[]>;
  const ask = { model: 'gpt-5.5', input: 'Hello?' };
  const chat = { model: 'gpt-4.1', messages: [{ role: 'user', content: 'Hello?' }] };

  for (const api of ['responses', 'chat'] as const) {
    it(`answers through the AI SDK's ${api} model about the files it was given`, async () => {
      const { text, finishReason, usage } = await generateText({
        model: models()[api],
        system: 'Be kind.',
        prompt: PROMPT,
        allowSystemInMessages: true,
      });
      expect(text).to.include("Spoq's sandbox model").and.to.include('not a real language model');
      expect(text).to.include('- `src/add.ts`: 2 lines, 28 bytes').and.to.include('> What does this do?');
      expect([finishReason, usage.outputTokens]).to.deep.equal(['stop', Math.ceil(text.length / 4)]);
      const limited = await generateText({ model: models()[api], prompt: PROMPT, maxOutputTokens: 16 });
      expect([limited.text.length, limited.finishReason]).to.deep.equal([64, 'length']);
    });

    it(`streams ${api}, the first word long before the last is said`, async () => {
      running.delays.model_chunk_ms = 5;
      let first: AnswerRecord | undefined;
      let text = '';
      const result = streamText({ model: models()[api], prompt: PROMPT });
      for await (const part of result.textStream) {
        first ??= (await answers())[0];
        text += part;
      }
      expect(first?.finished).to.equal(false);
      expect(first?.chunks_sent).to.be.lessThan(first?.chunks_total ?? 0);
      expect(text).to.equal((await generateText({ model: models()[api], prompt: PROMPT })).text);
      expect(await result.finishReason).to.equal('stop');
      expect((await result.usage).outputTokens).to.equal(Math.ceil(text.length / 4));
    });

    it(`notices that the client of ${api} has gone`, async () => {
      running.delays.model_chunk_ms = 5;
      const controller = new AbortController();
      const result = streamText({
        model: models()[api],
        prompt: PROMPT,
        abortSignal: controller.signal,
        onError: () => {},
      });
      for await (const part of result.textStream) if (part !== '') controller.abort();
      const record = await waitFor('the abort', async () => {
        const [answer] = await answers();
        return answer?.aborted === true && answer;
      });
      expect(record.chunks_sent).to.be.lessThan(record.chunks_total);
    });
  }

  it('numbers the typed events of a response and names each', async () => {
    const found = parseEvents(await (await call('/v1/responses', { ...ask, stream: true })).text());
    const events = found.map(({ data }) => JSON.parse(data) as { type: string; sequence_number: number });
    expect(events.map((one) => one.sequence_number)).to.deep.equal(events.map((_one, index) => index));
    expect(found.map(({ event }) => event)).to.deep.equal(events.map(({ type }) => type));
    expect([...new Set(events.map(({ type }) => type))]).to.deep.equal([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
  });

  it('says each call as an item of its own, its input in pieces and then whole', async () => {
    const made = [
      { name: 'read', input: { path: 'a' } },
      { name: 'read', input: { path: 'b' } },
    ];
    await control('/scripts', { match: 'Hello', steps: [{ text: 'Two.', calls: made }] });
    const body = { ...ask, stream: true, tools: [{ type: 'function', name: 'read', parameters: { type: 'object' } }] };
    const found = parseEvents(await (await call('/v1/responses', body)).text());
    const events = found.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    const item = (index: number): object => ({
      type: 'function_call',
      status: 'completed',
      name: 'read',
      arguments: JSON.stringify(made[index - 1]?.input),
    });
    for (const index of [1, 2]) {
      const own = events.filter((one) => one['output_index'] === index);
      const ofKind = (kind: string): Record<string, unknown>[] => own.filter(({ type }) => type === `response.${kind}`);
      const pieces = ofKind('function_call_arguments.delta').map(({ delta }) => delta);
      expect(pieces.join('')).to.equal(JSON.stringify(made[index - 1]?.input));
      expect([...new Set(own.map(({ type }) => type))]).to.deep.equal([
        'response.output_item.added',
        'response.function_call_arguments.delta',
        'response.function_call_arguments.done',
        'response.output_item.done',
      ]);
      expect(ofKind('output_item.added')[0]?.['item']).to.deep.include({ status: 'in_progress', arguments: '' });
      expect(ofKind('function_call_arguments.done')[0]).to.deep.include({ arguments: pieces.join('') });
      expect(ofKind('output_item.done')[0]?.['item']).to.deep.include(item(index));
    }
    const { output = [] } = (events.at(-1)?.['response'] ?? {}) as { output?: { type: string }[] };
    expect(output.map(({ type }) => type)).to.deep.equal(['message', 'function_call', 'function_call']);
    expect(output[2]).to.deep.include(item(2));
  });

  it('ends a chat stream with [DONE], and tells usage only when asked', async () => {
    const plain = parseEvents(await (await call('/v1/chat/completions', { ...chat, stream: true })).text());
    expect(plain.at(-1)).to.deep.equal({ id: undefined, event: undefined, data: '[DONE]' });
    expect(plain.some(({ data }) => data.includes('usage'))).to.equal(false);
    const body = { ...chat, stream: true, stream_options: { include_usage: true } };
    const counted = parseEvents(await (await call('/v1/chat/completions', body)).text());
    expect(JSON.parse(counted.at(-2)?.data ?? ''))
      .to.deep.include({ choices: [] })
      .and.to.have.nested.property('usage.total_tokens');
    const stopped = await call('/v1/chat/completions', { ...chat, stop: 'sandbox' });
    expect(await stopped.json()).to.have.nested.property('choices[0].message.content', "I am **Spoq's ");
  });

  for (const [kind, status] of [
    ['error', 500],
    ['overloaded', 503],
  ] as const) {
    it(`fails in the middle with ${kind} as told`, async () => {
      await control('/stream-faults', { kind, after_chunks: 2, times: 3 });
      const events = parseEvents(await (await call('/v1/responses', { ...ask, stream: true })).text()).map(
        ({ event }) => event,
      );
      expect(events.slice(-3)).to.deep.equal(['response.output_text.delta', 'error', 'response.failed']);
      const lines = parseEvents(await (await call('/v1/chat/completions', { ...chat, stream: true })).text());
      expect(JSON.parse(lines.at(-1)?.data ?? '')).to.have.nested.property('error.message');
      const whole = await call('/v1/responses', ask);
      expect(whole.status).to.equal(status);
      expect((await call('/v1/responses', ask)).status).to.equal(200);
    });
  }

  it('cuts the connection of streamed and whole answers as told', async () => {
    await control('/stream-faults', { kind: 'cut', after_chunks: 1, times: 2 });
    const streamed = await call('/v1/chat/completions', { ...chat, stream: true });
    expect(await streamed.text().catch((error: Error) => error.name)).to.equal('TypeError');
    expect(await call('/v1/responses', ask).catch((error: Error) => error.name)).to.equal('TypeError');
  });

  for (const [what, path, body, headers, status, error] of [
    ['no key', '/v1/responses', ask, { authorization: '' }, 401, { code: null, param: null }],
    ['a wrong key', '/v1/responses', ask, { authorization: 'Bearer sk-wrong-key' }, 401, { code: 'invalid_api_key' }],
    [
      'an unknown model',
      '/v1/responses',
      { ...ask, model: 'claude' },
      {},
      400,
      { code: 'model_not_found', param: 'model' },
    ],
    ['an unknown chat model', '/v1/chat/completions', { ...chat, model: 'x' }, {}, 404, { code: 'model_not_found' }],
    [
      'no input',
      '/v1/responses',
      { model: 'gpt-5.5' },
      {},
      400,
      { code: 'missing_required_parameter', param: 'input' },
    ],
    ['too small a limit', '/v1/responses', { ...ask, max_output_tokens: 1 }, {}, 400, { param: 'max_output_tokens' }],
    ['broken JSON', '/v1/chat/completions', '{', {}, 400, { param: null }],
    ['an unknown address', '/v1/nothing', {}, {}, 404, { code: null }],
  ] as const) {
    it(`refuses ${what} with ${status}`, async () => {
      const response = await call(path, body, headers);
      const answer = (await response.json()) as { error: object };
      expect(response.status).to.equal(status);
      expect(Object.keys(answer.error)).to.deep.equal(['message', 'type', 'param', 'code']);
      expect(answer.error).to.deep.include({ type: 'invalid_request_error', ...error });
      expect(response.headers.get('x-request-id')).to.match(/^req_/);
    });
  }

  it('lists models', async () => {
    const headers = { authorization: `Bearer ${key}` };
    const list = (await (await fetch(`${running.url}/v1/models`, { headers })).json()) as { data: { id: string }[] };
    expect(list.data.map(({ id }) => id)).to.include('gpt-5.5');
    const one = await fetch(`${running.url}/v1/models/gpt-5.5`, { headers });
    expect(await one.json()).to.deep.equal(list.data.find(({ id }) => id === 'gpt-5.5'));
    expect((await fetch(`${running.url}/v1/models/nope`, { headers })).status).to.equal(404);
  });
});
