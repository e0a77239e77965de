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

/** The log over `store`. `now`: milliseconds. */
export function createEventLog(store: Store, now: () => number): EventLog {
  const numbers = new Map<string, number>();
  const followers = new Map<string, Set<() => void>>();

  const findNext = (conversation: string): number => {
    const known = numbers.get(conversation);
    if (known !== undefined) return known;
    const row = store.get('SELECT max(number) AS last FROM events WHERE conversation = ?', conversation);
    return Number(row?.['last'] ?? 0) + 1;
  };
  const tell = (conversation: string): void => {
    for (const wake of followers.get(conversation) ?? []) wake();
  };

  return {
    async append(conversation, turn, events, before) {
      const at = now();
      let last = 0;
      const write = (): void => {
        before?.();
        last = findNext(conversation) - 1;
        for (const event of events) {
          last += 1;
          store.run(
            'INSERT INTO events (conversation, number, turn, at, event) VALUES (?, ?, ?, ?, ?)',
            conversation,
            last,
            turn,
            at,
            JSON.stringify(event),
          );
        }
        numbers.set(conversation, last + 1);
      };
      try {
        await store.soon(write);
      } catch (error) {
        numbers.clear(); // Nothing of the transaction is there: what they were is on the disk.
        throw error;
      }
      tell(conversation);
      return last;
    },
    forget(conversation) {
      numbers.delete(conversation);
      tell(conversation);
    },
    tell,
    async *follow(conversation, after, signal, isOver = () => false) {
      let seen = after;
      let wake = Promise.withResolvers<void>();
      const onEvent = (): void => wake.resolve();
      const set = followers.get(conversation) ?? new Set();
      followers.set(conversation, set.add(onEvent));
      signal.addEventListener('abort', onEvent, { once: true });
      try {
        while (!signal.aborted) {
          const page = readPage(store, conversation, seen);
          for (const event of page) {
            if (signal.aborted) return;
            seen = event.number;
            yield event;
          }
          if (page.length === PAGE) continue;
          if (page.length === 0 && (isOver() || !exists(store, conversation))) return;
          await wake.promise;
          wake = Promise.withResolvers();
        }
      } finally {
        set.delete(onEvent);
        if (set.size === 0) followers.delete(conversation);
        signal.removeEventListener('abort', onEvent);
      }
    },
  };
}

function readPage(store: Store, conversation: string, after: number): (NumberedEvent & { number: number })[] {
  const sql = 'SELECT number, turn, event FROM events WHERE conversation = ? AND number > ? ORDER BY number LIMIT ?';
  return store.all(sql, conversation, after, PAGE).map((row) => ({
    number: Number(row['number']),
    turn: Number(row['turn']),
    event: JSON.parse(String(row['event'])) as ConversationEvent,
  }));
}

function exists(store: Store, conversation: string): boolean {
  return store.get('SELECT 1 FROM conversations WHERE id = ?', conversation) !== undefined;
}
