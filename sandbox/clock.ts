import type { Store } from './state.ts';

/** The sandbox's time: the machine's, plus an offset that only grows. */
export interface Clock {
  now(): Date;
  /** Moves the time forward. Timers that wait on it are told through `onAdvance`. */
  advance(ms: number): void;
  /** Calls back after each advance; answers a function that ends it. */
  onAdvance(listener: () => void): () => void;
}

/** A clock whose offset is kept in `store`, so that a restart doesn't bring ended things back to life. */
export function createClock(store: Store<{ offset_ms: number }>): Clock {
  const listeners = new Set<() => void>();
  return {
    now: () => new Date(Date.now() + store.data.offset_ms),
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError('The sandbox clock only moves forward');
      store.update((data) => {
        data.offset_ms += ms;
      });
      for (const listener of listeners) listener();
    },
    onAdvance(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
