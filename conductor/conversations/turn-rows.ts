import { CONVERSATION_LIMITS } from '../../contract/conversation.ts';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import type { Begun, NewTurn } from './conversations.ts';

/** The turn that was begun with this request, if there is one. */
export function findRequest(store: Store, request: string): Begun | undefined {
  const row = store.get('SELECT conversation, number, first_event FROM turns WHERE request = ?', request);
  if (row === undefined) return undefined;
  const first = Number(row['first_event']);
  return { conversation: String(row['conversation']), number: Number(row['number']), after: first - 1 };
}

/** Throws `conversation_unknown`. `turns`: the number of the last one. */
export function findConversation(store: Store, id: string): { id: string; turns: number } {
  const row = store.get(
    'SELECT id, (SELECT max(number) FROM turns WHERE conversation = id) AS turns FROM conversations WHERE id = ?',
    id,
  );
  if (row === undefined) throw new SpoqError('conversation_unknown');
  return { id, turns: Number(row['turns'] ?? 0) };
}

/** The first event of a turn. */
export function describeStart(turn: NewTurn, conversation: string, number: number, at: number): ConversationEvent {
  return {
    type: 'start',
    id: turn.requestId,
    conversation,
    turn: number,
    kind: turn.kind,
    text: turn.text,
    model: turn.model,
    at: new Date(at).toISOString(),
  };
}

/** Part of a transaction, before its first event is written. */
export function insertTurn(store: Store, turn: NewTurn & { conversation: string }, number: number, at: number): void {
  const { conversation, folder } = turn;
  if (number === 1) {
    const [title = ''] = turn.text.trim().split('\n', 1);
    store.run(
      'INSERT INTO conversations (id, title, folder_key, folder_name, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
      conversation,
      title.slice(0, CONVERSATION_LIMITS.title_chars),
      folder?.key ?? null,
      folder?.name ?? null,
      at,
      at,
    );
  } else {
    store.run('UPDATE conversations SET updated_at = ? WHERE id = ?', at, conversation);
  }
  const input = turn.input === undefined ? null : JSON.stringify(turn.input);
  store.run(
    `INSERT INTO turns (conversation, number, request, kind, state, model, input, first_event, started_at)
     VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, (SELECT coalesce(max(number), 0) + 1 FROM events WHERE conversation = ?1), ?7)`,
    conversation,
    number,
    turn.request,
    turn.kind,
    turn.model,
    input,
    at,
  );
}

/** Adds to what the model is told. Part of a transaction. */
export function insertMessages(store: Store, conversation: string, turn: number, messages: unknown[]): void {
  for (const message of messages) {
    store.run(
      `INSERT INTO messages (conversation, position, turn, message)
       VALUES (?1, (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE conversation = ?1), ?2, ?3)`,
      conversation,
      turn,
      JSON.stringify(message),
    );
  }
}

/** Part of a transaction. */
export function closeTurn(store: Store, conversation: string, turn: number, state: string, at: number): void {
  store.run(
    'UPDATE turns SET state = ?, ended_at = ? WHERE conversation = ? AND number = ?',
    state,
    at,
    conversation,
    turn,
  );
  store.run('UPDATE conversations SET updated_at = ? WHERE id = ?', at, conversation);
}
