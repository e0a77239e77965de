import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import { createServerFault } from './errors.ts';
import type { CreateCompletion } from './request.ts';

type Json = Record<string, unknown>;

export interface CompletionFields {
  id: string;
  created: number;
  request: CreateCompletion;
  inputTokens: number;
  answering: Answering;
}

function describeUsage({ inputTokens, answering }: CompletionFields): Json {
  const output = answering.countSpoken();
  return {
    prompt_tokens: inputTokens,
    completion_tokens: output,
    total_tokens: inputTokens + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function finishReason({ answering }: CompletionFields): string {
  return answering.ending.reason === 'length' ? 'length' : 'stop';
}

/** A whole chat completion. */
export function createCompletion(fields: CompletionFields, text: string): Json {
  const message = { role: 'assistant', content: text, refusal: null, annotations: [] };
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

/**
 * The chunks of one chat completion: unnamed `data:` lines, the role first, the reason to stop last, then usage where it was
 * asked for, then [DONE]. A fault is a line with `error`, after which the stream just ends.
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
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'text') yield chunk([choice({ content: spoken.text }, null)]);
    else {
      yield spoken.fault === 'cut' ? null : formatEvent(createServerFault(spoken.fault).toBody());
      return;
    }
  }
  if (answering.record.aborted) return;
  yield chunk([choice({}, finishReason(fields))]);
  if (withUsage) yield chunk([], describeUsage(fields));
  yield formatEvent('[DONE]');
}
