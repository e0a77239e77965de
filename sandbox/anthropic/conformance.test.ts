import { createAnthropic } from '@ai-sdk/anthropic';
import { generateText, streamText } from 'ai';
import { expect } from 'chai';
import { hasSpec, loadSpec, type Spec } from '../conformance.ts';
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
    await fetch(`${url}/v1/models`, { headers });
    await fetch(`${url}/v1/models/claude-haiku-5-5`, { headers });
    const counted = { model: 'claude-haiku-5-5', messages: [{ role: 'user', content: 'Hello?' }] };
    await fetch(`${url}/v1/messages/count_tokens`, { method: 'POST', headers, body: JSON.stringify(counted) });
    await fetch(`${url}/v1/messages`, { method: 'POST', headers, body: '{}' });
    await fetch(`${url}/v1/messages`, { method: 'POST', headers: { ...headers, 'x-api-key': 'no' }, body: '{}' });
    await fetch(`${url}/v1/models/nope`, { headers });

    const faults = (running?.requests.list() ?? []).flatMap((entry) => {
      const isStream = entry.request_body.includes('"stream":true');
      // The document declares no event stream: its events are checked one by one.
      const found = isStream ? checkStream(spec, entry.response_body) : spec.check(entry);
      return found.map((fault) => `${entry.method} ${entry.path} ${entry.status} ${fault}`);
    });
    expect(faults).to.deep.equal([]);
    expect(running?.requests.list().map(({ status }) => status)).to.deep.equal([
      200, 200, 200, 200, 200, 200, 400, 401, 404,
    ]);
  });
});

/** Checks each event; the document has no ping. */
function checkStream(spec: Spec, text: string): string[] {
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as { type: string });
  if (events.length < 10) return ['the stream is too short'];
  return events
    .filter(({ type }) => type !== 'ping')
    .flatMap((event) => spec.validate('#/components/schemas/MessageStreamEvent', event));
}
