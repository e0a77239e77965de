import type { ConversationList, ConversationSummary } from '../../contract/conversation.ts';
import { TurnKind } from '../../contract/conversation.ts';
import type { Row, Store } from '../store/store.ts';

export interface ListOptions {
  /** Only those of this folder (its key). */
  folder?: string | undefined;
  limit: number;
  /** Only those that changed before this one. */
  before?: string | undefined;
  id?: string | undefined;
}

const SUMMARY = `
  SELECT c.*,
    (SELECT max(number) FROM events WHERE conversation = c.id) AS last_event,
    count(t.number) AS turns,
    total(t.input_tokens) AS input_tokens, total(t.output_tokens) AS output_tokens, total(t.cost_micros) AS cost_micros,
    (SELECT workspace FROM workplaces WHERE conversation = c.id) AS workspace,
    (SELECT files FROM workplaces WHERE conversation = c.id) AS changed_files,
    (SELECT state FROM turns WHERE conversation = c.id ORDER BY number DESC LIMIT 1) AS state,
    (SELECT kind FROM turns WHERE conversation = c.id ORDER BY number DESC LIMIT 1) AS last_kind
  FROM conversations c JOIN turns t ON t.conversation = c.id`;

/** Conversations, the one that changed last first. */
export function listConversations(store: Store, { folder, limit, before, id }: ListOptions): ConversationList {
  const rows = store.all(
    `${SUMMARY}
     WHERE (?1 IS NULL OR c.folder_key = ?1) AND (?2 IS NULL OR c.id = ?2)
       AND (?3 IS NULL OR (c.updated_at, c.id) < (SELECT updated_at, id FROM conversations WHERE id = ?3))
     GROUP BY c.id ORDER BY c.updated_at DESC, c.id DESC LIMIT ?4`,
    folder ?? null,
    id ?? null,
    before ?? null,
    limit + 1,
  );
  return { conversations: rows.slice(0, limit).map(toSummary), more: rows.length > limit };
}

function toSummary(row: Row): ConversationSummary {
  const state = String(row['state']);
  return {
    id: String(row['id']),
    title: String(row['title']),
    folder: typeof row['folder_name'] === 'string' ? row['folder_name'] : null,
    state: readState(state),
    last_kind: TurnKind.parse(row['last_kind']),
    workspace: typeof row['workspace'] === 'string' ? row['workspace'] : null,
    changed_files: typeof row['changed_files'] === 'number' ? row['changed_files'] : null,
    turns: Number(row['turns']),
    last_event: Number(row['last_event'] ?? 0),
    created_at: new Date(Number(row['created_at'])).toISOString(),
    updated_at: new Date(Number(row['updated_at'])).toISOString(),
    input_tokens: Number(row['input_tokens']),
    output_tokens: Number(row['output_tokens']),
    cost_usd: Number(row['cost_micros']) / 1_000_000,
  };
}

function readState(state: string): ConversationSummary['state'] {
  if (state === 'parked') return 'running';
  return state === 'running' || state === 'waiting' || state === 'interrupted' ? state : 'idle';
}
