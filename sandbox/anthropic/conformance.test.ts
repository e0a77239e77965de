import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText, isStepCount, Output, streamText, tool } from 'ai';
import { expect } from 'chai';
import { z } from 'zod';
import { hasSpec, loadSpec, type Spec } from '../conformance.ts';
import { FIX_SCRIPT, PNG } from '../model/testing.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createAnthropicVendor } from './vendor.ts';

describe('Anthropic against its document', function () {
  let running: RunningVendor | undefined;
  let spec: Spec;
  before(async function () {
    if (!hasSpec('anthropic.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    spec = loadSpec('anthropic.json');
    running = await runVendor('anthropic', createAnthropicVendor);
  });
  after(() => running?.close());

  it('agrees with it as the AI SDK calls it, whole, streamed and refused', async () => {
    const { url = '', vendor } = running ?? {};
    const apiKey = vendor?.credentials['ANTHROPIC_API_KEY'] ?? '';
    const headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
    const model = createAnthropic({ baseURL: `${url}/v1`, apiKey })('claude-sonnet-5-5');
    await generateText({ model, prompt: 'Hello?', stopSequences: ['sandbox'] });
    await generateText({ model, prompt: 'Hello?', maxOutputTokens: 3 });
    await streamText({ model, prompt: 'Hello?' }).consumeStream();
    const script = { method: 'POST', headers, body: JSON.stringify(FIX_SCRIPT) };
    await fetch(`${url}/_sandbox/scripts`, script);
    await generateText({ ...agent, model });
    await streamText({ ...agent, model }).consumeStream();
    await generateText({ model, messages: [{ role: 'user', content: [SENT_IMAGE] }] });
    await generateText({ model, prompt: 'Hello?', output: Output.object({ schema: z.object({ a: z.email() }) }) });
    await fetch(`${url}/v1/models`, { headers });
    await fetch(`${url}/v1/models/claude-haiku-5-5`, { headers });
    const counted = { model: 'claude-haiku-5-5', messages: [{ role: 'user', content: 'Hello?' }] };
    await fetch(`${url}/v1/messages/count_tokens`, { method: 'POST', headers, body: JSON.stringify(counted) });
    await fetch(`${url}/v1/messages`, { method: 'POST', headers, body: '{}' });
    await fetch(`${url}/v1/messages`, { method: 'POST', headers: { ...headers, 'x-api-key': 'no' }, body: '{}' });
    await fetch(`${url}/v1/models/nope`, { headers });

    const entries = (running?.requests.list() ?? []).filter(({ path }) => path.startsWith('/v1/'));
    const faults = entries.flatMap((entry) => {
      const isStream = entry.request_body.includes('"stream":true');
      // The document declares no event stream: its events are checked one by one.
      const found = isStream ? checkStream(spec, entry.response_body) : spec.check(entry);
      return found.map((fault) => `${entry.method} ${entry.path} ${entry.status} ${fault}`);
    });
    expect(faults).to.deep.equal([]);
    expect(entries.map(({ status }) => status)).to.deep.equal([...Array<number>(14).fill(200), 400, 401, 404]);
    expect(entries.filter((entry) => entry.response_body.includes('"tool_use"'))).to.have.length(4);
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

/** Checks each event; the document has no ping. */
function checkStream(spec: Spec, text: string): string[] {
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as { type: string });
  if (events.length < 10) return ['the stream is too short'];
  return events
    .filter(({ type }) => type !== 'ping')
    .flatMap((event) => spec.validate('#/components/schemas/MessageStreamEvent', event));
}
