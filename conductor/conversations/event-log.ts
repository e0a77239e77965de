import type { ConversationEvent } from '../../contract/conversation.ts';
import type { Store } from '../store/store.ts';

/** An event with its number, as it lies on the disk. */
export interface NumberedEvent {
  /** Null where it could not be written, so that nothing can begin after it. */
  number: number | null;
  turn: number;
  event: ConversationEvent;
}

/** The events of all conversations: written before they are told, told to whoever follows. */
export interface EventLog {
  /**
   * Adds events to a turn, numbered when they are written, in one transaction with what `before` does. Settles with the number of the last one
   * when they are on the disk; rejects with `storage_failed`, and none of it is there.
   */
  append(conversation: string, turn: number, events: ConversationEvent[], before?: () => void): Promise<number>;
  /** Everything after `after`, then what comes. Ends when `signal` fires, or when there is nothing new and `isOver` says so. */
  follow(
    conversation: string,
    after: number,
    signal: AbortSignal,
    isOver?: () => boolean,
  ): AsyncGenerator<NumberedEvent & { number: number }>;
  /** Followers look again. */
  tell(conversation: string): void;
  /** Of a conversation that was removed. */
  forget(conversation: string): void;
}

/** What one look into the database brings to a follower. */
const PAGE = 500;

type Written = NumberedEvent & { number: number };
type Listener = (events: Written[] | 'gone') => void;

/** The log over `store`. `now`: milliseconds. */
export function createEventLog(store: Store, now: () => number): EventLog {
  const numbers = new Map<string, number>();
  const listeners = new Map<string, Set<Listener>>();

  const findNext = (conversation: string): number => {
    const known = numbers.get(conversation);
    if (known !== undefined) return known;
    const row = store.get('SELECT max(number) AS last FROM events WHERE conversation = ?', conversation);
    return Number(row?.['last'] ?? 0) + 1;
  };
  const tell = (conversation: string, events: Written[] | 'gone' = []): void => {
    for (const listen of listeners.get(conversation) ?? []) listen(events);
  };

  return {
    async append(conversation, turn, events, before) {
      const at = now();
      let written: Written[] = [];
      const write = (): void => {
        before?.();
        const first = findNext(conversation);
        written = events.map((event, index) => ({ number: first + index, turn, event }));
        for (const { number, event } of written) {
          store.run(
            'INSERT INTO events (conversation, number, turn, at, event) VALUES (?, ?, ?, ?, ?)',
            conversation,
            number,
            turn,
            at,
            JSON.stringify(event),
          );
        }
        numbers.set(conversation, first + events.length);
      };
      try {
        await store.soon(write);
      } catch (error) {
        numbers.clear(); // Nothing of the transaction is there: what they were is on the disk.
        throw error;
      }
      tell(conversation, written);
      return written.at(-1)?.number ?? 0;
    },
    tell: (conversation) => tell(conversation),
    forget(conversation) {
      numbers.delete(conversation);
      tell(conversation, 'gone');
    },
    async *follow(conversation, after, signal, isOver = () => false) {
      let seen = after;
      let wake = Promise.withResolvers<void>();
      // What comes while it follows is told from memory; what it is behind with, from the disk.
      let fresh: Written[] = [];
      let isBehind = true;
      let isGone = false;
      const listen: Listener = (events) => {
        if (events === 'gone') isGone = true;
        else if (fresh.length + events.length <= PAGE) fresh.push(...events);
        else [fresh, isBehind] = [[], true];
        wake.resolve();
      };
      const onAbort = (): void => wake.resolve();
      const set = listeners.get(conversation) ?? new Set();
      listeners.set(conversation, set.add(listen));
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        while (!signal.aborted) {
          const page: Written[] = isBehind ? readPage(store, conversation, seen) : fresh;
          if (isBehind) isBehind = page.length === PAGE;
          else fresh = [];
          for (const event of page) {
            if (signal.aborted) return;
            if (event.number <= seen) continue;
            seen = event.number;
            yield event;
          }
          if (page.length > 0 || isBehind || fresh.length > 0) continue;
          if (isGone || isOver()) return;
          await wake.promise;
          wake = Promise.withResolvers();
        }
      } finally {
        set.delete(listen);
        if (set.size === 0) listeners.delete(conversation);
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}

function readPage(store: Store, conversation: string, after: number): Written[] {
  const sql = 'SELECT number, turn, event FROM events WHERE conversation = ? AND number > ? ORDER BY number LIMIT ?';
  return store.all(sql, conversation, after, PAGE).map((row) => ({
    number: Number(row['number']),
    turn: Number(row['turn']),
    event: JSON.parse(String(row['event'])) as ConversationEvent,
  }));
}
