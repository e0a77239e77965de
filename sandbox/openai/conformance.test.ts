import { createOpenAI } from '@ai-sdk/openai';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
import { expect } from 'chai';
import { z } from 'zod';
import { hasSpec, loadSpec, type Defect, type Spec } from '../conformance.ts';
import { FIX_SCRIPT, PNG } from '../model/testing.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createOpenAIVendor } from './vendor.ts';

const EVENTS = '#/components/schemas/ResponseStreamEvent';
const CHUNKS = '#/components/schemas/CreateChatCompletionStreamResponse';

const DEFECTS: Defect[] = [
  {
    why: 'a plain message matches both EasyInputMessage and Item, so that oneOf can never hold',
    replace: {
      pointer: '#/components/schemas/InputItem',
      value: { anyOf: [{ $ref: '#/components/schemas/EasyInputMessage' }, { $ref: '#/components/schemas/Item' }] },
    },
  },
  {
    why: 'the detail of an image "defaults to auto" and is left out by SDKs, yet it is required',
    replace: { pointer: '#/components/schemas/InputImageContent/required', value: ['type'] },
  },
];

describe('OpenAI against its document', function () {
  let running: RunningVendor | undefined;
  let spec: Spec;
  before(async function () {
    if (!hasSpec('openai.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    spec = loadSpec('openai.json', DEFECTS);
    running = await runVendor('openai', createOpenAIVendor);
  });
  after(() => running?.close());

  it('agrees with it as the AI SDK calls it, whole and streamed', async () => {
    const { url = '', vendor } = running ?? {};
    const apiKey = vendor?.credentials['OPENAI_API_KEY'] ?? '';
    const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey });
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    await fetch(`${url}/_sandbox/scripts`, { method: 'POST', headers, body: JSON.stringify(FIX_SCRIPT) });
    for (const model of [provider.responses('gpt-5.5'), provider.chat('gpt-4.1')]) {
      await generateText({ model, prompt: 'Hello?' });
      await generateText({ model, prompt: 'Hello?', maxOutputTokens: 16 });
      await streamText({ model, prompt: 'Hello?', maxOutputTokens: 20 }).consumeStream();
      await streamText({ model, prompt: 'Hello?' }).consumeStream();
      await generateText({ ...agent, model });
      await streamText({ ...agent, model }).consumeStream();
      await generateText({ model, messages: [{ role: 'user', content: [SENT_IMAGE] }] });
      await generateText({ model, prompt: 'Hello?', output: Output.object({ schema: z.object({ a: z.email() }) }) });
    }
    await fetch(`${url}/v1/models`, { headers });
    await fetch(`${url}/v1/models/gpt-5.5`, { headers });
    const fault = { method: 'POST', headers, body: JSON.stringify({ kind: 'error', after_chunks: 1 }) };
    await fetch(`${url}/_sandbox/stream-faults`, fault);
    const body = JSON.stringify({ model: 'gpt-5.5', input: 'Hello?', stream: true });
    await (await fetch(`${url}/v1/responses`, { method: 'POST', headers, body })).text();

    const entries = (running?.requests.list() ?? []).filter(({ path }) => path.startsWith('/v1/'));
    const faults = entries.flatMap((entry) => {
      const isStream = entry.request_body.includes('"stream":true');
      const schema = entry.path.endsWith('/responses') ? EVENTS : CHUNKS;
      const found = isStream ? checkStream(spec, schema, entry.response_body) : spec.check(entry);
      return found.map((one) => `${entry.method} ${entry.path} ${one}`);
    });
    expect(faults).to.deep.equal([]);
    expect(entries).to.have.length(27);
    expect(entries.filter((entry) => /"(?:function_call|tool_calls)"/.test(entry.response_body))).to.have.length(8);
  });

  it("refuses in the document's shape", async () => {
    const response = await fetch(`${running?.url}/v1/responses`, { method: 'POST' });
    expect(response.status).to.equal(401);
    expect(spec.validate('#/components/schemas/ErrorResponse', await response.json())).to.deep.equal([]);
  });
});

const execute = (): string => 'a - b, all passed';
const agent = {
  prompt: 'Please fix the sum.',
  tools: {
    read: tool({ inputSchema: z.object({ path: z.string() }), execute }),
    edit: tool({ inputSchema: z.object({ path: z.string(), was: z.string(), note: z.string() }), execute }),
    run: tool({ inputSchema: z.object({ command: z.string() }), execute }),
  },
  stopWhen: isStepCount(6),
};
const SENT_IMAGE = { type: 'file' as const, data: PNG, mediaType: 'image/png' };

function checkStream(spec: Spec, schema: string, text: string): string[] {
  const lines = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data).filter((data) => data !== '[DONE]');
  if (lines.length < 4) return ['the stream is too short'];
  return lines.flatMap((line) => spec.validate(schema, JSON.parse(line)));
}
