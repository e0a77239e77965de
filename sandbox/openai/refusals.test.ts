import { expect } from 'chai';
import { PNG } from '../model/testing.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createOpenAIVendor } from './vendor.ts';

const user = { role: 'user', content: 'Hi' };
const read = { type: 'function', name: 'read', parameters: { type: 'object', properties: {} } };
const called = (call_id: string): object => ({ type: 'function_call', call_id, name: 'read', arguments: '{}' });
const output = (call_id: string): object => ({ type: 'function_call_output', call_id, output: 'ok' });
const look = (image_url: string): object => ({
  input: [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Hi' },
        { type: 'input_image', image_url },
      ],
    },
  ],
});
const format = (schema: object, rest: object = {}): object => ({
  text: { format: { type: 'json_schema', name: 'answer', strict: true, schema, ...rest } },
});
const closed = (properties: object): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const IMAGE = 'input[0].content[1].image_url';
const EXPECTED =
  `Invalid '${IMAGE}'. Expected a base64-encoded data URL with an image MIME type ` +
  "(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got ";

interface Expected {
  message: string;
  param: string;
  code?: string;
  status?: number;
}

/** What is wrong, the part of the request to /v1/responses that is, and what OpenAI says. */
const REFUSALS: [string, object, Expected][] = [
  [
    'a tool without a name',
    { tools: [{ type: 'function' }] },
    {
      message: "Missing required parameter: 'tools[0].name'.",
      param: 'tools[0].name',
      code: 'missing_required_parameter',
    },
  ],
  [
    'the name of a tool',
    { tools: [{ ...read, name: 'no name' }] },
    { message: "Invalid 'tools[0].name': string does not match", param: 'tools[0].name', code: 'invalid_value' },
  ],
  [
    'a tool whose input is no object',
    { tools: [{ ...read, parameters: {} }] },
    {
      message: `Invalid schema for function 'read': schema must be a JSON Schema of 'type: "object"', got 'type: "None"'.`,
      param: 'tools[0].parameters',
      code: 'invalid_function_parameters',
    },
  ],
  [
    'an open schema of a strict tool',
    { tools: [{ ...read, strict: true }] },
    {
      message:
        "Invalid schema for function 'read': In context=(), 'additionalProperties' is required to be supplied and to be false.",
      param: 'tools[0].parameters',
      code: 'invalid_function_parameters',
    },
  ],
  [
    'a choice without tools',
    { tool_choice: 'required' },
    { message: "Tool choice 'required' must be specified with 'tools' parameter.", param: 'tool_choice' },
  ],
  [
    'an unknown tool chosen',
    { tools: [read], tool_choice: { type: 'function', name: 'x' } },
    { message: "Tool choice 'x' not found in 'tools' parameter.", param: 'tool_choice' },
  ],
  [
    'a choice without a name',
    { tools: [read], tool_choice: { type: 'function' } },
    {
      message: "Missing required parameter: 'tool_choice.name'.",
      param: 'tool_choice.name',
      code: 'missing_required_parameter',
    },
  ],
  [
    'an unknown kind of choice',
    { tools: [read], tool_choice: { type: 'mcp' } },
    { message: "Invalid 'tool_choice.type'", param: 'tool_choice.type', code: 'invalid_value' },
  ],
  [
    'an output without a call',
    { input: [user, output('c1')] },
    { message: 'No tool call found for function call output with call_id c1.', param: 'input' },
  ],
  [
    'a call without an output',
    { input: [user, called('c1'), user] },
    { message: 'No tool output found for function call c1.', param: 'input' },
  ],
  [
    'a call without arguments',
    { input: [user, { type: 'function_call', call_id: 'c1', name: 'read' }] },
    {
      message: "Missing required parameter: 'input[1].arguments'.",
      param: 'input[1].arguments',
      code: 'missing_required_parameter',
    },
  ],
  [
    'a message of nobody',
    { input: [{ role: 'robot', content: 'Hi' }] },
    { message: "Invalid 'input[0].role'", param: 'input[0].role', code: 'invalid_value' },
  ],
  [
    'a message without a role',
    { input: [{ content: 'Hi' }] },
    {
      message: "Missing required parameter: 'input[0].role'.",
      param: 'input[0].role',
      code: 'missing_required_parameter',
    },
  ],
  [
    'an item that is not stored',
    { input: [user, { type: 'item_reference', id: 'msg_1' }] },
    { message: "Item with id 'msg_1' not found. Items are not persisted", param: 'input', status: 404 },
  ],
  [
    'an earlier response that is not stored',
    { previous_response_id: 'resp_1' },
    {
      message: "Previous response with id 'resp_1' not found.",
      param: 'previous_response_id',
      code: 'previous_response_not_found',
    },
  ],
  [
    'an image that is none',
    look('data:image/png;base64,dGV4dA=='),
    {
      message: 'The image data you provided does not represent a valid image.',
      param: 'input',
      code: 'invalid_image_format',
    },
  ],
  [
    'another kind of data',
    look('data:text/plain;base64,dGV4dA=='),
    { message: `${EXPECTED}unsupported MIME type 'text/plain'.`, param: IMAGE, code: 'invalid_value' },
  ],
  ['no address', look('picture'), { message: EXPECTED, param: IMAGE, code: 'invalid_value' }],
  [
    'too large an image',
    look(`data:image/png;base64,${'A'.repeat(20_971_520)}`),
    { message: `Invalid '${IMAGE}': string too long.`, param: IMAGE, code: 'string_above_max_length' },
  ],
  [
    'an optional property of a strict schema',
    format({ ...closed({ a: { type: 'null' } }), required: [] }),
    {
      message:
        "Invalid schema for response_format 'answer': In context=(), 'required' is required to be supplied and to be an " +
        "array including every key in properties. Missing 'a'.",
      param: 'text.format.schema',
      code: 'invalid_json_schema',
    },
  ],
  [
    'a word that strict schemas have not, deep down',
    format(closed({ a: { type: 'array', items: { oneOf: [{ type: 'null' }] } } })),
    {
      message:
        "Invalid schema for response_format 'answer': In context=('properties', 'a', 'items'), 'oneOf' is not permitted.",
      param: 'text.format.schema',
      code: 'invalid_json_schema',
    },
  ],
  [
    'a schema whose root is a list',
    format({ type: 'array' }, { strict: false }),
    {
      message: `Invalid schema for response_format 'answer': schema must be a JSON Schema of 'type: "object"', got 'type: "array"'.`,
      param: 'text.format.schema',
      code: 'invalid_json_schema',
    },
  ],
  [
    'JSON that no word asks for',
    { text: { format: { type: 'json_object' } } },
    { message: "Response input messages must contain the word 'json'", param: 'input' },
  ],
  [
    'an unknown format',
    { text: { format: { type: 'xml' } } },
    { message: "Invalid 'text.format.type'", param: 'text.format.type', code: 'invalid_value' },
  ],
  [
    'a schema that the script has no answer for',
    format(closed({ a: { type: 'string', pattern: '^q{99}$' } })),
    {
      message: "The sandbox model can't answer with this schema: no text",
      param: 'text.format.schema',
      code: 'invalid_json_schema',
    },
  ],
];

const CHAT_REFUSALS: [string, object, Expected][] = [
  [
    'a result without a call',
    { messages: [user, { role: 'tool', tool_call_id: 'c1', content: 'ok' }] },
    {
      message:
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
      param: 'messages.[1].role',
    },
  ],
  [
    'a call without a result',
    { messages: [user, { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function' }] }, user] },
    {
      message:
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
        'The following tool_call_ids did not have response messages: c1',
      param: 'messages',
    },
  ],
  [
    'an unknown tool chosen',
    {
      tools: [{ type: 'function', function: { name: 'read' } }],
      tool_choice: { type: 'function', function: { name: 'x' } },
    },
    { message: "Tool choice 'x' not found in 'tools' parameter.", param: 'tool_choice' },
  ],
  [
    'an open strict schema',
    { response_format: { type: 'json_schema', json_schema: { name: 'a', strict: true, schema: { type: 'object' } } } },
    { message: "Invalid schema for response_format 'a'", param: 'response_format.schema', code: 'invalid_json_schema' },
  ],
];

describe('what OpenAI refuses', () => {
  let running: RunningVendor;
  before(async () => {
    running = await runVendor('openai', createOpenAIVendor);
  });
  after(() => running.close());

  const call = (path: string, body: object): Promise<Response> =>
    fetch(`${running.url}/v1${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${running.vendor.credentials['OPENAI_API_KEY']}`,
      },
      body: JSON.stringify({ model: 'gpt-5.6', ...body }),
    });
  const check = async (response: Response, { message, param, code, status = 400 }: Expected): Promise<void> => {
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error).to.deep.include({ type: 'invalid_request_error', param, code: code ?? null });
    expect(error.message.startsWith(message)).to.equal(true, error.message);
    expect(response.status).to.equal(status);
  };

  for (const [what, body, expected] of REFUSALS) {
    it(what, async () => check(await call('/responses', { input: 'Hi', ...body }), expected));
  }
  for (const [what, body, expected] of CHAT_REFUSALS) {
    it(`${what} (chat)`, async () => check(await call('/chat/completions', { messages: [user], ...body }), expected));
  }

  it('not: items it has stored, plain JSON that is asked for, and what it can only pass over', async () => {
    const first = (await (await call('/responses', { input: 'Hi' })).json()) as { output: { id: string }[] };
    const reference = { type: 'item_reference', id: first.output[0]?.id };
    const rest = [
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { role: 'user', content: [{ type: 'input_file', file_id: 'f' }] },
    ];
    const response = await call('/responses', {
      input: [{ role: 'developer', content: 'Answer in JSON.' }, user, ...rest, reference, user],
      text: { format: { type: 'json_object' } },
      tools: [{ type: 'web_search' }],
    });
    const { output: items } = (await response.json()) as { output: { content: { text: string }[] }[] };
    expect(JSON.parse(items[0]?.content[0]?.text ?? '')).to.deep.equal({});
    const unstored = (await (await call('/responses', { input: 'Hi', store: false })).json()) as typeof first;
    const again = await call('/responses', { input: [user, { type: 'item_reference', id: unstored.output[0]?.id }] });
    expect(again.status).to.equal(404);
  });

  it('takes images out of the results of tools, and counts what it has read before as cached', async () => {
    const image = { type: 'input_image', image_url: `data:image/png;base64,${PNG.toString('base64')}` };
    const input = [
      { role: 'user', content: 'x'.repeat(8000) },
      called('c1'),
      { ...output('c1'), output: [{ type: 'input_text', text: 'Here:' }, image] },
    ];
    const usages: number[] = [];
    for (let count = 0; count < 2; count += 1) {
      const answer = (await (await call('/responses', { input })).json()) as {
        output: { content: { text: string }[] }[];
        usage: { input_tokens_details: { cached_tokens: number } };
      };
      usages.push(answer.usage.input_tokens_details.cached_tokens);
      expect(answer.output[0]?.content[0]?.text).to.include('    Here:\n\n1 image:\n\n- image/png, 3 × 2 pixels');
    }
    expect(usages).to.deep.equal([0, 1920]);
  });
});
