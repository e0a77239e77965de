import { SpoqError } from '../../contract/errors.ts';

/** What is at work now, with a bound on how much. */
export interface Places {
  readonly size: number;
  /** Fires when no more is given. */
  readonly stopping: AbortSignal;
  /** Takes the place of a conversation, or throws `conversation_busy`, `too_many_requests` or, while stopping, `box_restarting`. */
  take(conversation: string): Place;
  find(conversation: string): Place | undefined;
  /** Gives no more, waits up to `graceMs` for those that are taken, then tells the rest and ends them. */
  stop(graceMs: number): Promise<void>;
}

export interface Place {
  controller: AbortController;
  /** Settles when it is left. */
  left: Promise<void>;
  /** Must be called in every case. */
  leave(): void;
}

/** One person's box: so many answers at once is a script gone wild. */
const MAX_TAKEN = 128;
const RETRY_AFTER_SECONDS = 5;
/** What one that was ended needs to write its last event, and a run to write down where it stands, on a busy machine. */
const LAST_WORDS_MS = 3_000;

/** Counts what is at work; `limit` is how much may be at once. */
export function createPlaces(limit = MAX_TAKEN): Places {
  const taken = new Map<string, Place>();
  const stopping = new AbortController();
  return {
    stopping: stopping.signal,
    get size() {
      return taken.size;
    },
    find: (conversation) => taken.get(conversation),
    take(conversation) {
      if (stopping.signal.aborted) throw restarting();
      if (taken.has(conversation)) throw new SpoqError('conversation_busy');
      if (taken.size >= limit) {
        throw new SpoqError('too_many_requests', {
          detail: `${limit} questions are being answered already.`,
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
      const { promise: left, resolve } = Promise.withResolvers<void>();
      const leave = (): void => {
        taken.delete(conversation);
        resolve();
      };
      const place = { controller: new AbortController(), leave, left };
      taken.set(conversation, place);
      return place;
    },
    async stop(graceMs) {
      stopping.abort();
      const all = Promise.all([...taken.values()].map(({ left }) => left));
      await within(all, graceMs);
      for (const { controller } of taken.values()) controller.abort(restarting());
      await within(all, LAST_WORDS_MS);
    },
  };
}

/** For those whose work is cut, and for those who come while it stops. */
export function restarting(): SpoqError {
  return new SpoqError('box_restarting', {
    detail: 'The conductor of the box is stopping or restarting.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

/** Waits for work, and no longer than that. */
export async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
