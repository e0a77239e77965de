import type { Answering } from '../model/begin.ts';
import { formatEvent } from '../model/serve.ts';
import type { Block, Ending } from '../model/stream.ts';
import { createServerFault } from './errors.ts';
import type { InputUsage } from './usage.ts';

/** What all events of one message share. */
export interface MessageFields {
  model: string;
  usage: InputUsage;
  answering: Answering;
}

const UNUSED = { output_tokens_details: null, server_tool_use: null };

/** A whole Message object; while it streams it starts without content and without a reason to stop. */
export function createMessage(
  { model, usage, answering }: MessageFields,
  blocks: readonly Block[] | null,
): Record<string, unknown> {
  return {
    id: answering.record.id,
    type: 'message',
    role: 'assistant',
    model,
    content: (blocks ?? []).flatMap((block) => createBlock(block)),
    ...describeEnding(blocks === null ? null : answering.ending),
    usage: {
      ...usage,
      output_tokens: blocks === null ? 1 : answering.countSpoken(),
      ...UNUSED,
      cache_creation: {
        ephemeral_5m_input_tokens: usage.cache_creation_input_tokens,
        ephemeral_1h_input_tokens: 0,
      },
      inference_geo: null,
      service_tier: 'standard',
    },
  };
}

/** The block as a whole message holds it. A call that was cut off in its input is no call and is left out. */
function createBlock(block: Block): Record<string, unknown>[] {
  if (block.type === 'text') return [{ type: 'text', text: block.text, citations: null }];
  const input = parseInput(block.json);
  return input === undefined ? [] : [createToolUse(block, input)];
}

function createToolUse({ id, name }: { id: string; name: string }, input: object): Record<string, unknown> {
  return { type: 'tool_use', id, name, input, caller: { type: 'direct' } };
}

function parseInput(json: string): object | undefined {
  try {
    return JSON.parse(json) as object;
  } catch {
    return undefined; // the token limit came first
  }
}

function describeEnding(ending: Ending | null): Record<string, unknown> {
  const reasons = { end: 'end_turn', length: 'max_tokens', stop: 'stop_sequence', calls: 'tool_use' };
  return {
    stop_reason: ending === null ? null : reasons[ending.reason],
    stop_sequence: ending?.reason === 'stop' ? ending.sequence : null,
    stop_details: null,
    container: null,
  };
}

/**
 * The event stream of one answer: message_start, then each block (start, deltas, stop), message_delta, message_stop; a ping
 * early on. A call's block starts with an empty input, which comes as pieces of JSON.
 */
export async function* streamMessage(fields: MessageFields, requestId: string): AsyncGenerator<string | null> {
  const { usage, answering } = fields;
  const { blocks } = answering;
  let index = 0;
  yield event({ type: 'message_start', message: createMessage(fields, null) });
  yield startBlock(blocks, index);
  yield event({ type: 'ping' });
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'fault') {
      yield spoken.fault === 'cut' ? null : event(createServerFault(spoken.fault).toBody(requestId));
      return;
    }
    for (; index < spoken.block; index += 1) {
      yield event({ type: 'content_block_stop', index });
      yield startBlock(blocks, index + 1);
    }
    const isText = blocks[index]?.type === 'text';
    const delta = isText
      ? { type: 'text_delta', text: spoken.text }
      : { type: 'input_json_delta', partial_json: spoken.text };
    yield event({ type: 'content_block_delta', index, delta });
  }
  if (answering.record.aborted) return;
  yield event({ type: 'content_block_stop', index });
  const counted = { ...usage, output_tokens: answering.countSpoken(), ...UNUSED };
  yield event({ type: 'message_delta', delta: describeEnding(answering.ending), usage: counted });
  yield event({ type: 'message_stop' });
}

function startBlock(blocks: readonly Block[], index: number): string {
  const block = blocks[index];
  const content_block = block?.type === 'call' ? createToolUse(block, {}) : { type: 'text', text: '', citations: null };
  return event({ type: 'content_block_start', index, content_block });
}

function event(data: { type: string } & Record<string, unknown>): string {
  return formatEvent(data, data.type);
}
