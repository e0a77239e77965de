import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import type { Block } from '../model/stream.ts';
import { createServerFault } from './errors.ts';
import type { CreateCompletion } from './request.ts';
import type { InputUsage } from './usage.ts';

type Json = Record<string, unknown>;

export interface CompletionFields {
  id: string;
  created: number;
  request: CreateCompletion;
  usage: InputUsage;
  answering: Answering;
}

function describeUsage({ usage, answering }: CompletionFields): Json {
  const output = answering.countSpoken();
  const { input_tokens, input_tokens_details } = usage;
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output,
    total_tokens: input_tokens + output,
    prompt_tokens_details: { cached_tokens: input_tokens_details.cached_tokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function finishReason({ answering }: CompletionFields): string {
  return { length: 'length', calls: 'tool_calls', end: 'stop', stop: 'stop' }[answering.ending.reason];
}

/** A whole chat completion. */
export function createCompletion(fields: CompletionFields): Json {
  const { blocks } = fields.answering;
  const text = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  const calls = blocks.flatMap((block) => (block.type === 'call' ? [createCall(block, block.json)] : []));
  const message = {
    role: 'assistant',
    content: text.length === 0 ? null : text.join(''),
    refusal: null,
    annotations: [],
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  return {
    id: fields.id,
    object: 'chat.completion',
    created: fields.created,
    model: fields.request.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(fields) }],
    usage: describeUsage(fields),
    service_tier: 'default',
  };
}

function createCall({ id, name }: Extract<Block, { type: 'call' }>, json: string): Json {
  return { id, type: 'function', function: { name, arguments: json } };
}

/**
 * The chunks of one chat completion: unnamed `data:` lines, the role first, then words, then calls by their number, each with
 * its name before its arguments; the reason to stop last, then usage where it was asked for, then [DONE]. A fault is a line with `error`, after which the stream just ends.
 */
export async function* streamCompletion(fields: CompletionFields): AsyncGenerator<string | null> {
  const { request, answering } = fields;
  const withUsage = request.stream_options?.include_usage === true;
  const chunk = (choices: Json[], usage: Json | null = null): string =>
    formatEvent({
      id: fields.id,
      object: 'chat.completion.chunk',
      created: fields.created,
      model: request.model,
      service_tier: 'default',
      choices,
      ...(withUsage ? { usage } : {}),
    });
  const choice = (delta: Json, reason: string | null): Json => ({
    index: 0,
    delta,
    logprobs: null,
    finish_reason: reason,
  });
  yield chunk([choice({ role: 'assistant', content: '', refusal: null }, null)]);
  const callBlocks = answering.blocks.filter(({ type }) => type === 'call');
  let begun = -1;
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'fault') {
      yield spoken.fault === 'cut' ? null : formatEvent(createServerFault(spoken.fault).toBody());
      return;
    }
    const block = answering.blocks[spoken.block];
    if (block?.type !== 'call') {
      yield chunk([choice({ content: spoken.text }, null)]);
      continue;
    }
    const index = callBlocks.indexOf(block);
    if (begun < index) yield chunk([choice({ tool_calls: [{ index, ...createCall(block, '') }] }, null)]);
    begun = index;
    yield chunk([choice({ tool_calls: [{ index, function: { arguments: spoken.text } }] }, null)]);
  }
  if (answering.record.aborted) return;
  yield chunk([choice({}, finishReason(fields))]);
  if (withUsage) yield chunk([], describeUsage(fields));
  yield formatEvent('[DONE]');
}
