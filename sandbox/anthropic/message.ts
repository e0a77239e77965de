import { countTokens } from '../model/answer.ts';
import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import type { Ending, Spoken } from '../model/stream.ts';
import { AnthropicError } from './errors.ts';
import { toModelInput } from './request.ts';
import type { CreateMessage } from './request.ts';

/** Tokens of everything that the request says. */
export function countInput(request: CreateMessage): number {
  const { system, messages } = toModelInput(request);
  return countTokens([system, ...messages.map((message) => message.text)].join('\n'));
}

/** A whole Message object; while it streams it starts without content and without a reason to stop. */
export function createMessage(
  request: CreateMessage,
  fields: { id: string; text: string | null; ending: Ending | null; outputTokens: number },
): Record<string, unknown> {
  return {
    id: fields.id,
    type: 'message',
    role: 'assistant',
    model: request.model,
    content: fields.text === null ? [] : [{ type: 'text', text: fields.text, citations: null }],
    ...describeEnding(fields.ending),
    usage: {
      input_tokens: countInput(request),
      output_tokens: fields.outputTokens,
      ...NO_CACHE,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      inference_geo: null,
      service_tier: 'standard',
    },
  };
}

const NO_CACHE = {
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens_details: null,
  server_tool_use: null,
};

function describeEnding(ending: Ending | null): Record<string, unknown> {
  const reasons = { end: 'end_turn', length: 'max_tokens', stop: 'stop_sequence' };
  return {
    stop_reason: ending === null ? null : reasons[ending.reason],
    stop_sequence: ending?.reason === 'stop' ? ending.sequence : null,
    stop_details: null,
    container: null,
  };
}

/** What Anthropic answers, or sends as an `error` event, when its side fails. */
export function toAnthropicError(fault: Exclude<Extract<Spoken, { type: 'fault' }>['fault'], 'cut'>): AnthropicError {
  return fault === 'overloaded'
    ? new AnthropicError('overloaded_error', 'Overloaded')
    : new AnthropicError('api_error', 'Internal server error');
}

/** The event stream of one answer: message_start, one text block, message_delta, message_stop; a ping early on. */
export async function* streamMessage(
  request: CreateMessage,
  answering: Answering,
  requestId: string,
): AsyncGenerator<string | null> {
  const { record, ending } = answering;
  const message = createMessage(request, { id: record.id, text: null, ending: null, outputTokens: 1 });
  yield event({ type: 'message_start', message });
  yield event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '', citations: null } });
  yield event({ type: 'ping' });
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'text') {
      yield event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: spoken.text } });
    } else {
      yield spoken.fault === 'cut' ? null : event(toAnthropicError(spoken.fault).toBody(requestId));
      return;
    }
  }
  if (record.aborted) return;
  yield event({ type: 'content_block_stop', index: 0 });
  const usage = { input_tokens: countInput(request), output_tokens: answering.countSpoken(), ...NO_CACHE };
  yield event({ type: 'message_delta', delta: describeEnding(ending), usage });
  yield event({ type: 'message_stop' });
}

function event(data: { type: string } & Record<string, unknown>): string {
  return formatEvent(data, data.type);
}
