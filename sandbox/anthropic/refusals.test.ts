import { expect } from 'chai';
import { PNG } from '../model/testing.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createAnthropicVendor } from './vendor.ts';

const READ = { name: 'read', input_schema: { type: 'object', properties: {} } };
const say = (...blocks: object[]): object => ({ role: 'user', content: [{ type: 'text', text: 'Hi' }, ...blocks] });
const use = (id: string, name = 'read'): object => ({
  role: 'assistant',
  content: [{ type: 'tool_use', id, name, input: {} }],
});
const result = (...ids: string[]): object => ({
  role: 'user',
  content: ids.map((tool_use_id) => ({ type: 'tool_result', tool_use_id, content: 'ok' })),
});
const image = (data: Buffer | string, media_type = 'image/png'): object => ({
  type: 'image',
  source: {
    type: 'base64',
    media_type,
    data: typeof data === 'string' ? data : data.toString('base64'),
  },
});
const format = (schema: object): object => ({ output_config: { format: { type: 'json_schema', schema } } });
const object = (properties: object, rest: object = {}): object => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...rest,
});
const wide = Buffer.from(PNG);
wide.writeUInt32BE(8001, 16);
const PLACE = 'messages.0.content.1.image.source.base64';
const SCHEMA = 'output_config.format.schema';

/** What is wrong, the part of the request that is, and Anthropic's words. */
const REFUSALS: [string, object, string][] = [
  ['a tool without a schema', { tools: [{ name: 'read' }] }, 'tools.0.custom.input_schema: Field required'],
  [
    'a tool whose input is no object',
    { tools: [{ name: 'read', input_schema: { type: 'string' } }] },
    'tools.0.custom.input_schema.type: Invalid input: expected "object"',
  ],
  [
    'the name of a tool',
    { tools: [{ ...READ, name: 'no name' }] },
    "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
  ],
  ['two tools of one name', { tools: [READ, READ] }, 'tools: Tool names must be unique.'],
  [
    'a choice without tools',
    { tool_choice: { type: 'auto' } },
    'tool_choice: tool_choice may only be specified while providing tools',
  ],
  [
    'an unknown tool chosen',
    { tools: [READ], tool_choice: { type: 'tool', name: 'x' } },
    "tool_choice: Tool 'x' not found in provided tools",
  ],
  [
    'an unknown choice',
    { tools: [READ], tool_choice: { type: 'maybe' } },
    'tool_choice.type: Invalid discriminator value.',
  ],
  [
    'a forced call while thinking',
    { tools: [READ], tool_choice: { type: 'any' }, thinking: { type: 'enabled', budget_tokens: 1024 } },
    'Thinking may not be enabled when tool_choice forces tool use.',
  ],
  [
    'a forced call of a model that takes none',
    { model: 'claude-sonnet-5-5', tools: [READ], tool_choice: { type: 'any' } },
    'tool_choice: forced tool use is not supported by claude-sonnet-5-5',
  ],
  [
    'a result without a call',
    { messages: [say(), use('t1'), result('t1', 't2')] },
    'messages.2.content: unexpected `tool_use_id` found in `tool_result` blocks: t2. Each `tool_result` block must have ' +
      'a corresponding `tool_use` block in the previous message.',
  ],
  [
    'a call without a result',
    { messages: [say(), use('t1'), say()] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use` block ' +
      'must have a corresponding `tool_result` block in the next message.',
  ],
  [
    'a call at the end',
    { messages: [say(), use('t1')] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use` block ' +
      'must have a corresponding `tool_result` block in the next message.',
  ],
  [
    'words before the result',
    { messages: [say(), use('t1'), say({ type: 'tool_result', tool_use_id: 't1' })] },
    'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. Each `tool_use` block ' +
      'must have a corresponding `tool_result` block in the next message.',
  ],
  [
    'two results of one call',
    { messages: [say(), use('t1'), result('t1', 't1')] },
    'messages.2.content: each tool_use must have a single result. Found multiple `tool_result` blocks with id: t1',
  ],
  [
    'two calls of one id',
    { messages: [say(), use('t1'), result('t1'), use('t1'), result('t1')] },
    'messages: `tool_use` ids must be unique',
  ],
  [
    'a call by the user',
    { messages: [{ ...use('t1'), role: 'user' }] },
    'messages.0: `tool_use` blocks can only be in `assistant` messages',
  ],
  [
    'a result by the assistant',
    { messages: [say(), { ...result('t1'), role: 'assistant' }] },
    'messages.1: `tool_result` blocks can only be in `user` messages',
  ],
  [
    'an answer begun for a model that continues none',
    { messages: [say(), { role: 'assistant', content: 'I' }] },
    'This model does not support assistant message prefill. The conversation must end with a user message.',
  ],
  ['empty words', { messages: [{ role: 'user', content: '' }] }, 'messages: text content blocks must be non-empty'],
  [
    'an unknown kind of block',
    { messages: [say({ type: 'song' })] },
    "messages.0.content.1: Input tag 'song' found using 'type' does not match any of the expected tags",
  ],
  [
    'an image of another type than it says',
    { messages: [say(image(PNG, 'image/gif'))] },
    `${PLACE}: The image was specified using the image/gif media type, but the image appears to be a image/png image`,
  ],
  [
    'an image type that it does not take',
    { messages: [say(image(PNG, 'image/tiff'))] },
    "messages.0.content.1.image.source.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
  ],
  ['an image that is none', { messages: [say(image(Buffer.from('text')))] }, 'Could not process image'],
  ['what is no base64', { messages: [say(image('***'))] }, `${PLACE}: invalid base64 data`],
  [
    'too large an image',
    { messages: [say(image(Buffer.alloc(5_242_881)))] },
    `${PLACE}: image exceeds 5 MB maximum: 5242881 bytes > 5242880 bytes`,
  ],
  [
    'too wide an image',
    { messages: [say(image(wide))] },
    `${PLACE}.data: At least one of the image dimensions exceed max allowed size: 8000 pixels`,
  ],
  [
    'an open object',
    format({ type: 'object', properties: {} }),
    `${SCHEMA}: For 'object' type, 'additionalProperties' must be explicitly set to false`,
  ],
  [
    'bounds deep in the schema',
    format(object({ a: { type: 'array', items: { type: 'integer', minimum: 1 } } })),
    `${SCHEMA}: For 'integer' type, properties minimum are not supported`,
  ],
  [
    'a least number of items',
    format(object({ a: { type: 'array', minItems: 2 } })),
    `${SCHEMA}: For 'array' type, 'minItems' values other than 0 or 1 are not supported`,
  ],
  [
    'a schema that contains itself',
    format(object({ a: { $ref: '#/$defs/a' } }, { $defs: { a: object({ a: { $ref: '#/$defs/a' } }) } })),
    `${SCHEMA}: Circular reference detected in schema definitions: #/$defs/a`,
  ],
  [
    'a reference to nothing',
    format(object({ a: { $ref: '#/$defs/a' } })),
    `${SCHEMA}: Reference '#/$defs/a' was not found in the schema`,
  ],
  [
    'too many optional properties',
    format(object(Object.fromEntries(Array.from({ length: 25 }, (_one, index) => [`p${index}`, { type: 'null' }])))),
    `${SCHEMA}: Schemas contains too many optional parameters (25), limit: 24`,
  ],
  [
    'a schema that the script has no answer for',
    format({ type: 'string', pattern: '^q{99}$' }),
    `${SCHEMA}: the sandbox model can't answer with it: no text is known that matches the pattern ^q{99}$`,
  ],
];

describe('what Anthropic refuses', () => {
  let running: RunningVendor;
  before(async () => {
    running = await runVendor('anthropic', createAnthropicVendor);
  });
  after(() => running.close());

  const call = (body: object): Promise<Response> =>
    fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-api-key': running.vendor.credentials['ANTHROPIC_API_KEY'] ?? '',
        'anthropic-version': '2023-06-01',
      },
      body: JSON.stringify({ model: 'claude-haiku-5-5', max_tokens: 500, messages: [say()], ...body }),
    });

  for (const [what, body, message] of REFUSALS) {
    it(what, async () => {
      const response = await call(body);
      const { error } = (await response.json()) as { error: { type: string; message: string } };
      expect([response.status, error.type]).to.deep.equal([400, 'invalid_request_error']);
      expect(error.message.startsWith(message)).to.equal(true, error.message);
    });
  }

  it('not: results of parallel calls with words after them, system messages, and what it can only pass over', async () => {
    const both = {
      role: 'assistant',
      content: ['t1', 't2'].map((id) => ({ type: 'tool_use', id, name: 'r', input: {} })),
    };
    const more = [
      { role: 'user', content: 'Go on.' },
      { role: 'system', content: 'Be brief.' },
    ];
    const document = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' } };
    const messages = [say(document), both, result('t2'), result('t1'), ...more];
    const response = await call({ messages, tools: [READ, { type: 'bash_20250124', name: 'bash' }] });
    const message = (await response.json()) as { content: { text: string }[] };
    expect(response.status).to.equal(200);
    expect(message.content[0]?.text).to.include('It answered:\n\n    ok');
    const { content } = (await (await call({ messages: [say(document)] })).json()) as { content: { text: string }[] };
    expect(content[0]?.text).to.include("What I can't read and passed over: document.");
  });

  it('counts what is cached apart, where a part is marked', async () => {
    const system = [{ type: 'text', text: 'x'.repeat(8000), cache_control: { type: 'ephemeral' } }];
    const usages: unknown[] = [];
    for (const body of [{ system }, { system }, { system: 'x'.repeat(8000) }]) {
      const { usage } = (await (await call(body)).json()) as { usage: Record<string, number> };
      usages.push([usage['input_tokens'], usage['cache_creation_input_tokens'], usage['cache_read_input_tokens']]);
    }
    expect(usages).to.deep.equal([
      [1, 2000, 0],
      [1, 0, 2000],
      [2001, 0, 0],
    ]);
  });
});
