import { inventHex } from '../keys.ts';
import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import type { Block } from '../model/stream.ts';
import { createServerFault } from './errors.ts';
import type { CreateResponse, FunctionTool } from './request.ts';
import type { InputUsage } from './usage.ts';

type Json = Record<string, unknown>;

/** What all states of one response share. */
export interface ResponseFields {
  id: string;
  created: number;
  request: CreateResponse;
  tools: readonly FunctionTool[];
  usage: InputUsage;
  answering: Answering;
  /** The ids of its output items, one to a block. */
  itemIds: readonly string[];
}

/** Ids in OpenAI's shape for the items that an answer consists of. */
export function createItemIds({ blocks }: Answering): string[] {
  return blocks.map(({ type }) => `${type === 'text' ? 'msg' : 'fc'}_${inventHex(50)}`);
}

/** A Response object while it is in progress. */
function createResponse({ id, created, request, tools }: ResponseFields): Json {
  return {
    id,
    object: 'response',
    created_at: created,
    status: 'in_progress',
    background: false,
    completed_at: null,
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: null,
    model: request.model,
    output: [],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: request.store ?? true,
    temperature: request.temperature ?? 1,
    text: { verbosity: 'medium', ...request.text, format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: tools.map(({ name, description, parameters, strict }) => ({
      type: 'function',
      name,
      description: description ?? null,
      parameters: parameters ?? null,
      strict: strict ?? false,
    })),
    top_logprobs: 0,
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    metadata: request.metadata ?? {},
  };
}

/** A Response object that is over: complete, or cut off at the token limit in its last item. */
export function finishResponse(fields: ResponseFields, now: number): Json {
  const { answering, usage } = fields;
  const isCut = answering.ending.reason === 'length';
  const output = answering.countSpoken();
  return {
    ...createResponse(fields),
    status: isCut ? 'incomplete' : 'completed',
    completed_at: isCut ? null : now,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: answering.blocks.map((_block, index) => finishItem(fields, index)),
    usage: {
      ...usage,
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.input_tokens + output,
    },
  };
}

function finishItem({ answering: { blocks, ending }, itemIds }: ResponseFields, index: number): Json {
  const isCut = ending.reason === 'length' && index === blocks.length - 1;
  return createItem(itemIds[index], blocks[index], isCut ? 'incomplete' : 'completed');
}

/** An output item; in progress it has no content yet. */
function createItem(id: string | undefined, block: Block | undefined, status: string): Json {
  const isBegun = status === 'in_progress';
  if (block?.type === 'call') {
    const { id: call_id, name, json } = block;
    return { id, type: 'function_call', status, call_id, name, arguments: isBegun ? '' : json };
  }
  return { id, type: 'message', status, role: 'assistant', content: isBegun ? [] : [createPart(block?.text ?? '')] };
}

function createPart(text: string): Json {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

/**
 * The event stream of one response: typed events, numbered from 0; each item is added, said and done before the next. It ends
 * with response.completed or .incomplete; after a fault with `error` and response.failed. There is no [DONE]: the document has
 * none, and SDKs need none.
 */
export async function* streamResponse(fields: ResponseFields, now: () => number): AsyncGenerator<string | null> {
  const { answering, itemIds } = fields;
  let sequence = 0;
  const event = (type: string, data: Json): string => {
    const frame = formatEvent({ type, sequence_number: sequence, ...data }, type);
    sequence += 1;
    return frame;
  };
  const begun = createResponse(fields);
  yield event('response.created', { response: begun });
  yield event('response.in_progress', { response: begun });
  let index = 0;
  yield* beginItem(fields, index, event);
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'fault') {
      if (spoken.fault === 'cut') {
        yield null;
        return;
      }
      const { message, code } = createServerFault(spoken.fault).body;
      yield event('error', { code, message, param: null });
      const error = { code: 'server_error', message };
      yield event('response.failed', { response: { ...begun, status: 'failed', error } });
      return;
    }
    for (; index < spoken.block; index += 1) {
      yield* endItem(fields, index, event);
      yield* beginItem(fields, index + 1, event);
    }
    const place = { item_id: itemIds[index], output_index: index };
    yield answering.blocks[index]?.type === 'text'
      ? event('response.output_text.delta', { ...place, content_index: 0, delta: spoken.text, logprobs: [] })
      : event('response.function_call_arguments.delta', { ...place, delta: spoken.text });
  }
  if (answering.record.aborted) return;
  yield* endItem(fields, index, event);
  const ended = finishResponse(fields, now());
  yield event(`response.${String(ended['status'])}`, { response: ended });
}

type FormatEvent = (type: string, data: Json) => string;

function* beginItem({ answering, itemIds }: ResponseFields, index: number, event: FormatEvent): Generator<string> {
  const block = answering.blocks[index];
  const item = createItem(itemIds[index], block, 'in_progress');
  yield event('response.output_item.added', { output_index: index, item });
  if (block?.type !== 'text') return;
  const place = { item_id: itemIds[index], output_index: index, content_index: 0 };
  yield event('response.content_part.added', { ...place, part: createPart('') });
}

function* endItem(fields: ResponseFields, index: number, event: FormatEvent): Generator<string> {
  const block = fields.answering.blocks[index];
  const place = { item_id: fields.itemIds[index], output_index: index };
  if (block?.type === 'call') {
    yield event('response.function_call_arguments.done', { ...place, name: block.name, arguments: block.json });
  } else {
    const text = block?.text ?? '';
    yield event('response.output_text.done', { ...place, content_index: 0, text, logprobs: [] });
    yield event('response.content_part.done', { ...place, content_index: 0, part: createPart(text) });
  }
  yield event('response.output_item.done', { output_index: index, item: finishItem(fields, index) });
}
