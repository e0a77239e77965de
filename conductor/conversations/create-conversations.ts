import { randomUUID } from 'node:crypto';
import { CONVERSATION_LIMITS } from '../../contract/conversation.ts';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import type { Begun, Conversations, NewTurn, Turn } from './conversations.ts';
import { createEventLog } from './event-log.ts';
import type { EventLog } from './event-log.ts';
import { listConversations } from './list.ts';
import { describeOutcome, isLast } from './outcome.ts';
import { createPlaces } from './places.ts';

export interface ConversationsDeps {
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Most that may be at work at once. */
  limit?: number | undefined;
}

/** Conversations over the box's database. */
export function createConversations({ store, now, limit }: ConversationsDeps): Conversations {
  const log = createEventLog(store, now);
  const places = createPlaces(limit);
  /** Which turn of a conversation is at work. */
  const live = new Map<string, number>();
  /** Requests whose beginning is not on the disk yet. */
  const beginning = new Map<string, Promise<Begun>>();
  /** Conversations whose turn goes on after the next start. */
  const parked = new Set<string>();

  /** Takes the place of a conversation, and makes the turn that works in it. */
  const take = (conversation: string, number: number): { turn: Turn; leave: () => void } => {
    const place = places.take(conversation);
    const leave = (): void => {
      live.delete(conversation);
      place.leave();
      log.tell(conversation);
    };
    live.set(conversation, number);
    const signals = { signal: place.controller.signal, stopping: places.stopping };
    const onPark = (): void => void parked.add(conversation);
    return { turn: createTurn({ store, log, now, ...signals, leave, onPark }, conversation, number), leave };
  };

  const begin = async (turn: NewTurn): Promise<Begun> => {
    const known = findRequest(store, turn.request);
    if (known !== undefined) return known;
    const given = turn.conversation === undefined ? undefined : findConversation(store, turn.conversation);
    const conversation = given?.id ?? randomUUID();
    const number = (given?.turns ?? 0) + 1;
    const { turn: live, leave } = take(conversation, number);
    try {
      const events = [describeStart(turn, conversation, number, now()), ...(turn.events ?? [])];
      const last = await log.append(conversation, number, events, () => {
        insertTurn(store, { ...turn, conversation }, number, now());
        insertMessages(store, conversation, number, turn.messages ?? []);
        turn.also?.(conversation);
      });
      return { conversation, number, after: last - events.length, live };
    } catch (error) {
      leave();
      throw error;
    }
  };

  return {
    get size() {
      return places.size;
    },
    begin(turn) {
      const other = beginning.get(turn.request);
      if (other !== undefined) return other.then(({ live: _live, ...found }) => found);
      const begun = begin(turn).finally(() => beginning.delete(turn.request));
      beginning.set(turn.request, begun);
      return begun;
    },
    async *follow(conversation, after, signal, turn) {
      findConversation(store, conversation);
      const isOver = (): boolean => turn !== undefined && live.get(conversation) !== turn;
      for await (const numbered of log.follow(conversation, after, signal, isOver)) {
        if (turn !== undefined && numbered.turn > turn) return;
        yield numbered;
        if (numbered.turn === turn && isLast(numbered.event)) return;
      }
      // It is over, and its end could not be written down. One that is parked has no end yet: who follows it comes again.
      if (!signal.aborted && turn !== undefined && !parked.has(conversation)) {
        yield { number: null, turn, event: describeOutcome({ failure: new SpoqError('storage_failed') }) };
      }
    },
    revive: (conversation, number) => take(conversation, number).turn,

    list: (options) => listConversations(store, options),
    recall: (conversation) =>
      store
        .all('SELECT message FROM messages WHERE conversation = ? ORDER BY position', conversation)
        .map((row) => JSON.parse(String(row['message'])) as unknown),
    interrupt(conversation, reason) {
      const place = places.find(conversation);
      place?.controller.abort(reason);
      return place !== undefined;
    },
    remove(conversation) {
      findConversation(store, conversation);
      if (places.find(conversation) !== undefined) throw new SpoqError('conversation_busy');
      store.run('DELETE FROM conversations WHERE id = ?', conversation);
      log.forget(conversation);
    },
    stop: (graceMs) => places.stop(graceMs),
  };
}

/** Puts an end to what a crash has left at work. Called once, before anything is answered. Answers which turns those were. */
export async function endInterrupted(
  store: Store,
  now: () => number,
): Promise<{ conversation: string; turn: number }[]> {
  const log = createEventLog(store, now);
  // A run that waits for an approval does nothing meanwhile: it waits on.
  const rows = store.all(
    "SELECT conversation, number FROM turns WHERE state = 'running' OR (state = 'waiting' AND kind != 'run')",
  );
  const turns = rows.map((row) => ({ conversation: String(row['conversation']), turn: Number(row['number']) }));
  for (const { conversation, turn } of turns) {
    const failure = new SpoqError('turn_interrupted', {
      detail: 'The conductor of the box was ended in the middle of it.',
    });
    await log.append(conversation, turn, [describeOutcome({ failure })], () =>
      closeTurn(store, conversation, turn, 'interrupted', now()),
    );
  }
  return turns;
}

interface TurnDeps {
  store: Store;
  log: EventLog;
  now: () => number;
  signal: AbortSignal;
  stopping: AbortSignal;
  leave: () => void;
  onPark: () => void;
}

function createTurn(deps: TurnDeps, conversation: string, number: number): Turn {
  const { store, log, now, signal, stopping, onPark } = deps;
  let hasLeft = false;
  // Once: the next turn may have begun.
  const leave = (): void => {
    if (!hasLeft) deps.leave();
    hasLeft = true;
  };
  const setState = (state: string): void =>
    store.run('UPDATE turns SET state = ? WHERE conversation = ? AND number = ?', state, conversation, number);
  let unsaid = '';
  let saying: Promise<void> | undefined;
  const takeUnsaid = (): ConversationEvent[] => {
    const text = unsaid;
    unsaid = '';
    return text === '' ? [] : [{ type: 'text', text }];
  };
  const write = async (): Promise<void> => {
    await log.append(conversation, number, takeUnsaid());
    if (unsaid !== '') await write();
  };
  return {
    conversation,
    number,
    signal,
    say(text) {
      unsaid += text;
      saying ??= write().finally(() => (saying = undefined));
      return saying;
    },
    stopping,
    async emit(...events) {
      await log.append(conversation, number, [...takeUnsaid(), ...events]);
    },
    setState,
    async record({ events = [], messages = [], also }) {
      await log.append(conversation, number, [...takeUnsaid(), ...events], () => {
        insertMessages(store, conversation, number, messages);
        also?.();
      });
    },
    park(state) {
      try {
        setState(state);
        onPark();
      } finally {
        leave();
      }
    },
    drop: leave,
    remember: (messages) => store.soon(() => insertMessages(store, conversation, number, messages)),
    async end(outcome, messages = []) {
      try {
        const state = 'failure' in outcome ? readEndState(outcome.failure) : 'done';
        await log.append(conversation, number, [...takeUnsaid(), describeOutcome(outcome)], () => {
          closeTurn(store, conversation, number, state, now());
          insertMessages(store, conversation, number, messages);
          store.run(
            'UPDATE turns SET input_tokens = ?, output_tokens = ?, cost_micros = ? WHERE conversation = ? AND number = ?',
            outcome.input_tokens ?? null,
            outcome.output_tokens ?? null,
            outcome.cost_micros ?? null,
            conversation,
            number,
          );
        });
      } finally {
        leave();
      }
    },
  };
}

/** What was cut off by the box itself can be gone on with. */
function readEndState(failure: SpoqError): string {
  return failure.code === 'box_restarting' || failure.code === 'turn_interrupted' ? 'interrupted' : 'failed';
}

function findRequest(store: Store, request: string): Begun | undefined {
  const row = store.get('SELECT conversation, number, first_event FROM turns WHERE request = ?', request);
  if (row === undefined) return undefined;
  const first = Number(row['first_event']);
  return { conversation: String(row['conversation']), number: Number(row['number']), after: first - 1 };
}

function findConversation(store: Store, id: string): { id: string; turns: number } {
  const row = store.get(
    'SELECT id, (SELECT max(number) FROM turns WHERE conversation = id) AS turns FROM conversations WHERE id = ?',
    id,
  );
  if (row === undefined) throw new SpoqError('conversation_unknown');
  return { id, turns: Number(row['turns'] ?? 0) };
}

function describeStart(turn: NewTurn, conversation: string, number: number, at: number): ConversationEvent {
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

function insertTurn(store: Store, turn: NewTurn & { conversation: string }, number: number, at: number): void {
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

function insertMessages(store: Store, conversation: string, turn: number, messages: unknown[]): void {
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

function closeTurn(store: Store, conversation: string, turn: number, state: string, at: number): void {
  store.run(
    'UPDATE turns SET state = ?, ended_at = ? WHERE conversation = ? AND number = ?',
    state,
    at,
    conversation,
    turn,
  );
  store.run('UPDATE conversations SET updated_at = ? WHERE id = ?', at, conversation);
}
