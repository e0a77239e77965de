import { SpoqError } from '../contract/errors.ts';

/** Answers being streamed now, with a bound on how many. */
export interface RunningAsks {
  readonly size: number;
  /** Takes a place, or throws `too_many_requests` or, while stopping, `box_restarting`. `end` must be called in every case. */
  begin(): { controller: AbortController; end: () => void };
  /** Takes no more, waits up to `graceMs` for those that run, then tells the rest and ends them. */
  stop(graceMs: number): Promise<void>;
}

/** One person's box: 32 answers at once is a script gone wild. */
const MAX_RUNNING = 32;
const RETRY_AFTER_SECONDS = 5;
/** What an aborted answer needs to write its last event. */
const LAST_WORDS_MS = 500;

/** Counts the answers that run; `limit` is how many may at once. */
export function createRunningAsks(limit = MAX_RUNNING): RunningAsks {
  const running = new Map<AbortController, { ended: Promise<void> }>();
  let stopping = false;

  return {
    get size() {
      return running.size;
    },

    begin() {
      if (stopping) throw restarting();
      if (running.size >= limit) {
        throw new SpoqError('too_many_requests', {
          detail: `${limit} questions are being answered already.`,
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      }
      const controller = new AbortController();
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      running.set(controller, { ended });
      const end = (): void => {
        running.delete(controller);
        resolve();
      };
      return { controller, end };
    },

    async stop(graceMs) {
      stopping = true;
      const all = Promise.all([...running.values()].map(({ ended }) => ended));
      await within(all, graceMs);
      for (const controller of running.keys()) controller.abort(restarting());
      await within(all, LAST_WORDS_MS);
    },
  };
}

/** For those whose answer is cut, and for those who come while it stops. */
export function restarting(): SpoqError {
  return new SpoqError('box_restarting', {
    detail: 'The conductor of the box is stopping or restarting.',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, late]);
  clearTimeout(timer);
}
