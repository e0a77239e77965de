import { createAnthropic } from '@ai-sdk/anthropic';
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai';
import type { ModelMessage as SdkMessage } from 'ai';
import { expect } from 'chai';
import { z } from 'zod';
import { waitFor } from '../../test/harness/wait.ts';
import { describeRunning, FIX_SCRIPT, PNG, runModel, WAYS } from './testing.ts';
import type { RunningModel } from './testing.ts';

const RESULTS: Record<string, string> = { read: 'return a - b', edit: 'edited', run: '3 passed' };

/** Three tools of an agent that only write down how they were called. */
function makeTools(called: unknown[]) {
  const note = (name: string, input: unknown): string => {
    called.push({ name, input });
    return RESULTS[name] ?? '';
  };
  return {
    read: tool({ inputSchema: z.object({ path: z.string() }), execute: (input) => note('read', input) }),
    edit: tool({
      inputSchema: z.object({ path: z.string(), was: z.string(), note: z.string() }),
      execute: (input) => note('edit', input),
    }),
    run: tool({ inputSchema: z.object({ command: z.string() }), execute: (input) => note('run', input) }),
  };
}

const PLAYED = [
  { name: 'read', input: { path: 'sum.ts' } },
  { name: 'edit', input: { path: 'sum.ts', was: 'return a - b', note: 'ä 🙂' } },
  { name: 'run', input: { command: 'npm test' } },
];

for (const way of WAYS) {
  describe(`an agent on the sandbox model (${way})`, () => {
    let at: RunningModel;
    let called: unknown[];
    beforeEach(async () => {
      at = await runModel(way);
      called = [];
    });
    afterEach(() => at.running.close());

    const task = (prompt = 'Please fix the sum.') => ({
      model: at.model,
      prompt,
      tools: makeTools(called),
      stopWhen: isStepCount(6),
      maxRetries: 0,
    });

    it('plays a script over several steps, parallel calls among them', async () => {
      await at.control('POST', '/scripts', FIX_SCRIPT);
      const { text, steps, finishReason } = await generateText(task());
      expect(called).to.deep.equal(PLAYED);
      expect([text, finishReason]).to.deep.equal(['Done: edited\n3 passed', 'stop']);
      expect(steps.map((step) => [step.finishReason, step.text])).to.deep.equal([
        ['tool-calls', 'I look first.'],
        ['tool-calls', ''],
        ['stop', 'Done: edited\n3 passed'],
      ]);
      const inputs = steps.map(({ usage }) => usage.inputTokens ?? 0);
      expect(inputs).to.deep.equal(inputs.toSorted((a, b) => a - b));
      expect(inputs[2]).to.be.greaterThan(inputs[0] ?? 0);
      expect((await at.answers()).map(({ calls }) => calls)).to.deep.equal([['read'], ['edit', 'run'], []]);
    });

    it('streams the same, arguments piece by piece', async () => {
      await at.control('POST', '/scripts', FIX_SCRIPT);
      const pieces: Record<string, string[]> = {};
      let text = '';
      const result = streamText(task());
      for await (const part of result.stream) {
        if (part.type === 'tool-input-delta') (pieces[part.id] ??= []).push(part.delta);
        if (part.type === 'text-delta') text += part.text;
      }
      expect(called).to.deep.equal(PLAYED);
      expect(text).to.equal('I look first.Done: edited\n3 passed');
      const inputs = Object.values(pieces).map((list) => list.filter((piece) => piece !== ''));
      expect(inputs.map((list) => JSON.parse(list.join('')) as unknown)).to.deep.equal(
        PLAYED.map(({ input }) => input),
      );
      expect(inputs[1]?.length).to.be.greaterThan(3);
    });

    it('plays the same step when it is asked the same again, also after a restart', async () => {
      await at.control('POST', '/scripts', FIX_SCRIPT);
      const one = { ...task(), stopWhen: isStepCount(1) };
      const first = await generateText(one);
      expect((await generateText(one)).toolCalls.map(({ input }) => input)).to.deep.equal([{ path: 'sum.ts' }]);
      at = describeRunning(way, await at.running.restart());
      const history: SdkMessage[] = [
        { role: 'user', content: 'Please fix the sum.' },
        ...withoutIds(first.responseMessages),
      ];
      const { model, tools, stopWhen } = task();
      const second = await generateText({ model, tools, stopWhen, messages: history });
      expect(second.text).to.equal('Done: edited\n3 passed');
    });

    it('says in words what it expected, stops, and stays stopped', async () => {
      await at.control('POST', '/scripts', {
        ...FIX_SCRIPT,
        steps: [FIX_SCRIPT.steps[0], { expect: 'a * b', text: 'x' }],
      });
      const { text, responseMessages } = await generateText(task());
      expect(text).to.equal(
        'The script stops here: I expected the last tool result to contain "a * b", but it was "return a - b". ' +
          'This was step 2 of 2 for "fix the sum".',
      );
      const messages: SdkMessage[] = [
        { role: 'user', content: 'Please fix the sum.' },
        ...responseMessages,
        { role: 'user', content: 'Go on.' },
      ];
      expect((await generateText({ model: at.model, messages })).text).to.equal(text);
    });

    it('sees that a tool has failed', async () => {
      const steps = [FIX_SCRIPT.steps[0], { expect: 'no such file', text: 'It is not there.' }];
      await at.control('POST', '/scripts', { ...FIX_SCRIPT, steps });
      const failing = tool({
        inputSchema: z.object({ path: z.string() }),
        execute: (): string => {
          throw new Error('no such file');
        },
      });
      const { text } = await generateText({ ...task(), tools: { read: failing } });
      expect(text).to.equal('It is not there.');
    });

    it('breaks off in the middle of a call as told', async () => {
      await at.control('POST', '/scripts', FIX_SCRIPT);
      await at.control('POST', '/stream-faults', { kind: 'overloaded', after_chunks: 4 });
      const parts: string[] = [];
      for await (const { type } of streamText({ ...task(), onError: () => {} }).stream) parts.push(type);
      expect(parts).to.include.members(['tool-input-delta', 'error']).and.not.to.include('tool-result');
      expect(called).to.deep.equal([]);
      await at.control('POST', '/stream-faults', { kind: 'cut', after_chunks: 4 });
      const cut: string[] = [];
      const reading = (async () => {
        for await (const { type } of streamText({ ...task(), onError: () => {} }).stream) cut.push(type);
      })();
      const thrown: unknown = await reading.catch((error: unknown) => error);
      expect(thrown !== undefined || cut.includes('error')).to.equal(true);
      expect(cut).not.to.include('tool-result');
      // Three words and the first piece of the call's input.
      expect((await at.answers()).at(-1)).to.deep.include({ fault: 'cut', chunks_sent: 4, finished: false });
      expect((await generateText(task())).text).to.equal('Done: edited\n3 passed');
    });

    it('notices that the client went away in the middle of a call', async () => {
      await at.control('POST', '/scripts', FIX_SCRIPT);
      at.running.delays.model_chunk_ms = 250; // on a busy machine the whole answer has come before who reads it can go away
      const controller = new AbortController();
      const result = streamText({ ...task(), abortSignal: controller.signal, onError: () => {} });
      for await (const part of result.stream)
        if (part.type === 'tool-input-delta' && part.delta !== '') controller.abort();
      const record = await waitFor('the abort', async () => {
        const [answer] = await at.answers();
        return answer?.aborted === true && answer;
      });
      expect(record.calls).to.deep.equal(['read']);
      expect(record.chunks_sent).to.be.lessThan(record.chunks_total);
      expect(called).to.deep.equal([]);
    });

    it('ends at the token limit in the middle of a call, which is then not made', async () => {
      await at.control('POST', '/scripts', {
        match: 'long',
        steps: [{ calls: [{ name: 'read', input: { path: 'x'.repeat(400) } }] }],
      });
      const { finishReason } = await generateText({ ...task('long'), stopWhen: isStepCount(1), maxOutputTokens: 20 });
      expect(finishReason).to.equal('length');
      expect(called).to.deep.equal([]);
    });

    it('is given a script only by who says it right', async () => {
      for (const [script, fault] of [
        [{ match: '', steps: [{ text: 'x' }] }, 'match: '],
        [{ match: 'x', steps: [] }, 'steps: '],
        [{ match: 'x', steps: [{}] }, 'steps.0: has neither text nor calls'],
        [
          { match: 'x', steps: [{ calls: [{ name: 'not a name' }] }] },
          'steps.0.calls.0.name: is not the name of a tool',
        ],
        [{ match: 'x', steps: [{ text: 'x', extra: 1 }] }, 'steps.0: Unrecognized key'],
      ] as const) {
        const failure: unknown = await at.control('POST', '/scripts', script).catch((error: unknown) => error);
        expect(String(failure)).to.include('answered 400').and.include('This is not a script').and.include(fault);
      }
      await at.control('POST', '/scripts', FIX_SCRIPT);
      await at.control('POST', '/scripts', { match: FIX_SCRIPT.match, steps: [{ text: 'Other.' }] });
      expect(await at.control('GET', '/scripts')).to.deep.equal([
        { match: FIX_SCRIPT.match, steps: [{ text: 'Other.', calls: [] }] },
      ]);
      expect((await generateText(task())).text).to.equal('Other.');
      await at.control('DELETE', '/scripts');
      expect(await at.control('GET', '/scripts')).to.deep.equal([]);
      expect((await generateText(task('Hello?'))).text)
        .to.include("Spoq's sandbox model")
        .and.include('3 tools offered: `read`');
    });

    it('without a script, runs one harmless command when it is asked to run something, and reports', async () => {
      const shell = tool({
        inputSchema: z.object({ command: z.string(), seconds: z.number().optional() }),
        execute: ({ command }) => `ran ${command}`,
      });
      const { text, steps } = await generateText({ ...task('Run the tests'), tools: { bash: shell } });
      expect(steps.map(({ toolCalls }) => toolCalls.map(({ input }) => input))).to.deep.equal([
        [{ command: 'ls' }],
        [],
      ]);
      expect(text).to.include('without understanding').and.include('    ran ls');
    });

    it('tells what images reached it, also out of tools', async () => {
      const image = { type: 'file' as const, data: PNG, mediaType: 'image/png' };
      const { text } = await generateText({
        model: at.model,
        messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, image] }],
      });
      expect(text).to.include(`1 image:\n\n- image/png, 3 × 2 pixels, ${PNG.length} bytes`);
      const url = { ...image, data: new URL('https://example.com/a.png') };
      const asked = { role: 'user' as const, content: [{ type: 'text' as const, text: 'And this?' }, url] };
      const far = await generateText({ model: at.model, messages: [asked], experimental_download: leaveUrls });
      expect(far.text).to.include('- at https://example.com/a.png: not fetched by the sandbox');
    });

    it('answers in JSON that fits the schema, whole and streamed', async () => {
      const schema = z.object({
        title: z.string().min(1).max(5),
        severity: z.enum(['low', 'high']),
        lines: z.array(z.number().int().min(3)),
        mail: z.email(),
        rest: z.object({ fixed: z.boolean(), by: z.string().nullable() }),
      });
      const output = Output.object({ schema });
      const whole = await generateText({ model: at.model, prompt: 'What is wrong?', output });
      expect(schema.parse(whole.output)).to.deep.equal(whole.output);
      const streamed = streamText({ model: at.model, prompt: 'What is wrong?', output });
      expect(await streamed.output).to.deep.equal(whole.output);
      expect(JSON.stringify(at.calls()[0])).to.include('json_schema');
    });

    it("gives a script's own JSON as it is", async () => {
      await at.control('POST', '/scripts', { match: 'find bugs', steps: [{ text: '{"bugs":3}' }] });
      const output = Output.object({ schema: z.object({ bugs: z.number() }) });
      expect((await generateText({ model: at.model, prompt: 'find bugs', output })).output).to.deep.equal({ bugs: 3 });
    });

    it('must call a tool where one is demanded, and none where that is told', async () => {
      const demanded = await generateText({ ...task('Hello?'), toolChoice: 'required', stopWhen: isStepCount(1) });
      expect(demanded.toolCalls.map(({ toolName }) => toolName)).to.deep.equal(['read']);
      const named = await generateText({
        ...task('Hello?'),
        toolChoice: { type: 'tool', toolName: 'run' },
        stopWhen: isStepCount(1),
      });
      expect(named.toolCalls.map(({ toolName }) => toolName)).to.deep.equal(['run']);
      await at.control('POST', '/scripts', FIX_SCRIPT);
      const none = await generateText({ ...task(), toolChoice: 'none' });
      expect(none.text).to.match(/not offered|told to call none/);
    });

    it('is overloaded for one model only, and says when to come back', async () => {
      const [{ model: id } = { model: '' }] = await generateText(task('Hello?')).then(() => at.calls());
      await at.control('POST', '/refusals', { kind: 'overloaded', model: id, retry_after_seconds: 7, times: 0 });
      await at.control('POST', '/refusals', { kind: 'rate_limited', model: 'another' });
      for (let count = 0; count < 2; count += 1) {
        const failure: unknown = await generateText(task('Hello?')).catch((error: unknown) => error);
        if (!APICallError.isInstance(failure)) throw failure;
        expect(failure.statusCode).to.equal(way === 'anthropic' ? 529 : 503);
        expect(failure.responseHeaders?.['retry-after']).to.equal('7');
      }
      expect(await at.control('GET', '/refusals')).to.have.length(2);
      await at.control('DELETE', '/refusals');
      await at.control('POST', '/stream-faults', { kind: 'error', model: 'another' });
      expect((await generateText(task('Hello?'))).text).to.include("Spoq's sandbox model");
    });
  });
}

describe('JSON by way of a tool, for schemas that Anthropic does not take', () => {
  let at: RunningModel;
  beforeEach(async () => {
    at = await runModel('anthropic');
  });
  afterEach(() => at.running.close());

  // The first demands the call, the second can't and leaves it to the model.
  for (const [id, choice] of [
    ['claude-haiku-5-5', { type: 'any', disable_parallel_tool_use: true }],
    ['claude-sonnet-5-5', { type: 'auto', disable_parallel_tool_use: true }],
  ] as const) {
    it(`is answered by ${id}`, async () => {
      const [apiKey = ''] = Object.values(at.running.vendor.credentials);
      const model = createAnthropic({ baseURL: `${at.running.url}/v1`, apiKey })(id);
      const output = Output.object({
        schema: z.object({ counts: z.record(z.string(), z.number()), name: z.string() }),
      });
      const answer = await generateText({ model, prompt: 'Count.', output });
      expect(answer.output).to.deep.equal({ counts: {}, name: 'sandbox' });
      expect(at.calls()[0]).to.deep.include({ tool_choice: choice });
    });
  }
});

/** Sends addresses as they are, instead of fetching what is there. */
const leaveUrls = (files: { url: URL }[]): Promise<null[]> => Promise.resolve(files.map(() => null));

/** Without the ids under which OpenAI stores items: a restarted sandbox has none stored. */
function withoutIds(messages: SdkMessage[]): SdkMessage[] {
  return JSON.parse(
    JSON.stringify(messages, (key, value: unknown) => (key === 'providerOptions' ? undefined : value)),
  ) as SdkMessage[];
}
