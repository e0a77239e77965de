import { randomUUID } from 'node:crypto';
import { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import type { Begun, Conversations, NewTurn, Turn } from './conversations.ts';
import { createTurn } from './create-turn.ts';
import { createEventLog } from './event-log.ts';
import { listConversations } from './list.ts';
import { describeOutcome, isLast } from './outcome.ts';
import { createPlaces, within } from './places.ts';
import { closeTurn, describeStart, findConversation, findRequest, insertMessages, insertTurn } from './turn-rows.ts';

export interface ConversationsDeps {
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Most that may be at work at once. */
  limit?: number | undefined;
}

/** What is interrupted ends its calls and writes down how far it came; a program may have to be killed for it. */
const LAST_WORK_MS = 2_000;

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
    async interrupt(conversation, reason) {
      const place = places.find(conversation);
      if (place === undefined) return false;
      place.controller.abort(reason);
      await within(place.left, LAST_WORK_MS);
      return true;
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
