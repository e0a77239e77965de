import { AnthropicError } from './errors.ts';
import type { CreateMessage } from './request.ts';

type Message = CreateMessage['messages'][number];

interface Turn {
  role: Message['role'];
  /** The place of its first message. */
  at: number;
  blocks: { type: string; id: string }[];
}

/**
 * Every call must be answered at the beginning of the next turn, once, and nothing else may be answered there. Messages of
 * one role in a row are one turn. Throws AnthropicError, 400, in Anthropic's words.
 */
export function checkToolPairs(messages: readonly Message[]): void {
  const turns = listTurns(messages);
  for (const [index, turn] of turns.entries()) {
    const asked = idsOf(turns[index - 1], 'tool_use');
    const answered = idsOf(turn, 'tool_result');
    const unexpected = turn.role === 'user' ? answered.find((id) => !asked.includes(id)) : undefined;
    if (unexpected !== undefined) {
      throw refuse(
        `messages.${turn.at}.content: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${unexpected}. ` +
          'Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
      );
    }
    const twice = answered.find((id, place) => answered.indexOf(id) !== place);
    if (twice !== undefined) {
      throw refuse(
        `messages.${turn.at}.content: each tool_use must have a single result. ` +
          `Found multiple \`tool_result\` blocks with id: ${twice}`,
      );
    }
    checkCalls(turn, turns[index + 1]);
  }
  const ids = turns.flatMap((turn) => idsOf(turn, 'tool_use'));
  if (new Set(ids).size < ids.length) throw refuse('messages: `tool_use` ids must be unique');
}

function checkCalls(turn: Turn, next: Turn | undefined): void {
  const leading = next?.blocks.findIndex(({ type }) => type !== 'tool_result') ?? 0;
  const first = next === undefined ? [] : next.blocks.slice(0, leading === -1 ? undefined : leading);
  const missing = idsOf(turn, 'tool_use').filter((id) => !first.some((result) => result.id === id));
  if (missing.length === 0) return;
  throw refuse(
    `messages.${turn.at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ` +
      `${missing.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

function listTurns(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = [];
  for (const [at, { role, content }] of messages.entries()) {
    if (role === 'system') continue;
    const last = turns.at(-1);
    const blocks = typeof content === 'string' ? [{ type: 'text', id: '' }] : content.map(readBlock);
    if (last?.role === role) last.blocks.push(...blocks);
    else turns.push({ role, at, blocks });
  }
  return turns;
}

function readBlock(block: { type: string; id?: unknown; tool_use_id?: unknown }): Turn['blocks'][number] {
  return { type: block.type, id: String(block.type === 'tool_result' ? block.tool_use_id : block.id) };
}

function idsOf(turn: Turn | undefined, type: 'tool_use' | 'tool_result'): string[] {
  return (turn?.blocks ?? []).filter((block) => block.type === type).map(({ id }) => id);
}

function refuse(message: string): AnthropicError {
  return new AnthropicError('invalid_request_error', message);
}
