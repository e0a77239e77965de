import type { ModelMessage } from 'ai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import type { Store } from '../store/store.ts';

/** A call that the model has asked for. */
export interface ModelCall {
  id: string;
  tool: string;
  input: unknown;
}

/** The calls of the last answer that have no result yet. */
export function findPending(messages: ModelMessage[]): ModelCall[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const answered = new Set(
    messages
      .slice(last + 1)
      .flatMap((message) =>
        message.role === 'tool'
          ? message.content.flatMap((part) => (part.type === 'tool-result' ? part.toolCallId : []))
          : [],
      ),
  );
  const message = messages[last];
  if (message?.role !== 'assistant' || typeof message.content === 'string') return [];
  return message.content
    .flatMap((part) =>
      part.type === 'tool-call' ? { id: part.toolCallId, tool: part.toolName, input: part.input } : [],
    )
    .filter(({ id }) => !answered.has(id));
}

/** What the model is told of a call. */
export function toResult(call: ModelCall, text: string, failed: boolean): ModelMessage {
  const output = { type: failed ? ('error-text' as const) : ('text' as const), value: text };
  return { role: 'tool', content: [{ type: 'tool-result', toolCallId: call.id, toolName: call.tool, output }] };
}

/** Whether a call was told to clients as begun: then it may have been done. */
export function wasBegun(store: Store, conversation: string, call: string): boolean {
  const sql = `SELECT 1 FROM events WHERE conversation = ? AND json_extract(event, '$.type') = 'tool_call' AND json_extract(event, '$.call') = ?`;
  return store.get(sql, conversation, call) !== undefined;
}

/** What a call has written so far; undefined when there was no such call. */
export function readOutput(store: Store, conversation: string, call: string): string | undefined {
  if (!wasBegun(store, conversation, call)) return undefined;
  const sql = `SELECT json_extract(event, '$.text') AS text FROM events WHERE conversation = ? AND json_extract(event, '$.type') = 'tool_output' AND json_extract(event, '$.call') = ? ORDER BY number`;
  return store
    .all(sql, conversation, call)
    .map((row) => (typeof row['text'] === 'string' ? row['text'] : ''))
    .join('');
}

/** What clients have seen of an answer that was cut off before it was written down as a message. */
export function readUnsaid(store: Store, conversation: string, turn: number): string {
  const sql = 'SELECT event FROM events WHERE conversation = ? AND turn = ? ORDER BY number DESC';
  const texts: string[] = [];
  for (const row of store.all(sql, conversation, turn)) {
    const event = JSON.parse(String(row['event'])) as ConversationEvent;
    if (event.type === 'text') texts.unshift(event.text);
    else if (event.type !== 'error' && event.type !== 'notice' && event.type !== 'changes') break;
  }
  return texts.join('');
}

/** The same with the end of it marked as worth keeping: the next step is the same up to there, and costs a tenth. */
export function markCached(messages: ModelMessage[]): ModelMessage[] {
  const last = messages.at(-1);
  if (last === undefined) return messages;
  const marked = { ...last, providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } };
  return [...messages.slice(0, -1), marked as ModelMessage];
}
