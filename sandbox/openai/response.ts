import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import { inventHex } from '../keys.ts';
import { createServerFault } from './errors.ts';
import type { CreateResponse } from './request.ts';

type Json = Record<string, unknown>;

/** What all states of one response share. */
export interface ResponseFields {
  id: string;
  created: number;
  request: CreateResponse;
  inputTokens: number;
  answering: Answering;
}

/** A Response object while it is in progress. */
function createResponse({ id, created, request }: ResponseFields): Json {
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
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: request.store ?? true,
    temperature: request.temperature ?? 1,
    text: { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: 'auto',
    tools: [],
    top_logprobs: 0,
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    metadata: request.metadata ?? {},
  };
}

/** A Response object that is over: complete, or cut off at the token limit. */
export function finishResponse(fields: ResponseFields, itemId: string, text: string, now: number): Json {
  const { answering, inputTokens } = fields;
  const isCut = answering.ending.reason === 'length';
  const output = answering.countSpoken();
  return {
    ...createResponse(fields),
    status: isCut ? 'incomplete' : 'completed',
    completed_at: isCut ? null : now,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: [createItem(itemId, isCut ? 'incomplete' : 'completed', [createPart(text)])],
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + output,
    },
  };
}

function createItem(id: string, status: string, content: Json[]): Json {
  return { id, type: 'message', status, role: 'assistant', content };
}

function createPart(text: string): Json {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}

/** The id of the one message that a response consists of. */
export function createItemId(): string {
  return `msg_${inventHex(50)}`;
}

/**
 * The event stream of one response: typed events, numbered from 0. It ends with response.completed or .incomplete; after a
 * fault with `error` and response.failed. There is no [DONE]: the document has none, and SDKs need none.
 */
export async function* streamResponse(fields: ResponseFields, now: () => number): AsyncGenerator<string | null> {
  let sequence = 0;
  const event = (type: string, data: Json): string => {
    const frame = formatEvent({ type, sequence_number: sequence, ...data }, type);
    sequence += 1;
    return frame;
  };
  const itemId = createItemId();
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  const begun = createResponse(fields);
  yield event('response.created', { response: begun });
  yield event('response.in_progress', { response: begun });
  yield event('response.output_item.added', { output_index: 0, item: createItem(itemId, 'in_progress', []) });
  yield event('response.content_part.added', { ...place, part: createPart('') });
  let text = '';
  for await (const spoken of fields.answering.spoken) {
    if (spoken.type === 'text') {
      text += spoken.text;
      yield event('response.output_text.delta', { ...place, delta: spoken.text, logprobs: [] });
      continue;
    }
    if (spoken.fault === 'cut') {
      yield null;
      return;
    }
    const { message, code } = createServerFault(spoken.fault).body;
    yield event('error', { code, message, param: null });
    yield event('response.failed', {
      response: { ...begun, status: 'failed', error: { code: 'server_error', message } },
    });
    return;
  }
  if (fields.answering.record.aborted) return;
  const ended = finishResponse(fields, itemId, text, now());
  const status = String(ended['status']);
  yield event('response.output_text.done', { ...place, text, logprobs: [] });
  yield event('response.content_part.done', { ...place, part: createPart(text) });
  yield event('response.output_item.done', { output_index: 0, item: createItem(itemId, status, [createPart(text)]) });
  yield event(`response.${status}`, { response: ended });
}
