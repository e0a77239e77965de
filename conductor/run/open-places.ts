import { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import { DEFAULT_LIMITS, WorkError } from '../workplace/workplace.ts';
import type { Workplace, Workplaces } from '../workplace/workplace.ts';

/** Where the tools of a conversation work. */
export interface PlaceOf {
  workspace: string;
  snapshot: string;
}

/** The workplaces of conversations: open while something uses them, there until they are removed. */
export interface OpenPlaces {
  find(conversation: string): PlaceOf | undefined;
  /** Writes down that there is one. Part of a transaction. */
  insert(conversation: string, place: PlaceOf): void;
  /** Opens it for `work`, or shares the one that is open. Throws `workplace_unknown`, `run_unavailable`. */
  use<T>(
    conversation: string,
    work: (place: Workplace) => Promise<T>,
    options?: { progress?: (text: string) => void; signal?: AbortSignal },
  ): Promise<T>;
  /** How many files were changed in it, for lists. */
  note(conversation: string, files: number): void;
  /** It is gone afterwards. False when there was none. Throws `conversation_busy` while it is used. */
  remove(conversation: string): Promise<boolean>;
  closeAll(): Promise<void>;
}

interface Open {
  place: Promise<Workplace>;
  users: number;
  timer?: NodeJS.Timeout;
}

/** Between two calls of a run it stays open; who waits for a person for long gives its memory back. */
const LINGER_MS = 60_000;

/** `workplaces`: undefined where runs can't be confined. `now`: milliseconds. */
export function createOpenPlaces(
  store: Store,
  workplaces: Workplaces | undefined,
  now: () => number,
  onFailure: (error: unknown) => void,
  lingerMs = LINGER_MS,
): OpenPlaces {
  const open = new Map<string, Open>();
  /** Those that are being closed: nobody opens one meanwhile. */
  const closing = new Map<string, Promise<void>>();

  const find = (conversation: string): PlaceOf | undefined => {
    const row = store.get('SELECT workspace, snapshot FROM workplaces WHERE conversation = ?', conversation);
    return row === undefined ? undefined : { workspace: String(row['workspace']), snapshot: String(row['snapshot']) };
  };
  const start = async (
    conversation: string,
    progress: (text: string) => void,
    signal: AbortSignal,
  ): Promise<Workplace> => {
    const found = find(conversation);
    if (found === undefined) throw new SpoqError('workplace_unknown');
    if (workplaces === undefined) throw new SpoqError('run_unavailable');
    await closing.get(conversation);
    const run = { id: conversation, workspace: found.workspace, snapshot: found.snapshot, limits: DEFAULT_LIMITS };
    return workplaces.open(run, progress, signal);
  };
  const close = (conversation: string, one: Open): Promise<void> => {
    clearTimeout(one.timer);
    if (open.get(conversation) === one) open.delete(conversation);
    const closed = one.place
      .then((place) => place.close())
      .catch((error: unknown) => {
        if (!(error instanceof WorkError) && !(error instanceof SpoqError)) onFailure(error);
      })
      .finally(() => closing.get(conversation) === closed && closing.delete(conversation));
    closing.set(conversation, closed);
    return closed;
  };
  const enter = (conversation: string, make: () => Promise<Workplace>): Open => {
    const one = open.get(conversation) ?? { place: make(), users: 0 };
    clearTimeout(one.timer);
    one.users += 1;
    open.set(conversation, one);
    // One that was lost, or never came to be, is not given to the next.
    const forget = (): void => void (open.get(conversation) === one && open.delete(conversation));
    one.place.then((place) => place.closed.then(forget), forget);
    return one;
  };
  const leave = (conversation: string, one: Open): void => {
    one.users -= 1;
    if (one.users > 0 || open.get(conversation) !== one) return;
    one.timer = setTimeout(() => void close(conversation, one), lingerMs);
  };

  return {
    find,
    insert(conversation, { workspace, snapshot }) {
      store.run(
        'INSERT OR IGNORE INTO workplaces (conversation, workspace, snapshot, created_at) VALUES (?, ?, ?, ?)',
        conversation,
        workspace,
        snapshot,
        now(),
      );
    },
    async use(conversation, work, { progress = () => undefined, signal = new AbortController().signal } = {}) {
      const one = enter(conversation, () => start(conversation, progress, signal));
      try {
        const place = await one.place;
        return await work(place);
      } catch (error) {
        throw error instanceof WorkError && error.code === 'lost' ? describeLoss(error) : error;
      } finally {
        leave(conversation, one);
      }
    },
    note: (conversation, files) =>
      store.run('UPDATE workplaces SET files = ? WHERE conversation = ?', files, conversation),
    async remove(conversation) {
      const one = open.get(conversation);
      if (one !== undefined && one.users > 0) throw new SpoqError('conversation_busy');
      if (one !== undefined) await close(conversation, one);
      if (find(conversation) === undefined) return false;
      if (workplaces === undefined) throw new SpoqError('run_unavailable');
      await closing.get(conversation);
      await workplaces.remove(conversation);
      store.run('DELETE FROM workplaces WHERE conversation = ?', conversation);
      return true;
    },
    async closeAll() {
      await Promise.all([...open].map(([conversation, one]) => close(conversation, one)));
      await Promise.all(closing.values());
    },
  };
}

function describeLoss(error: WorkError): SpoqError {
  return new SpoqError('workplace_lost', { detail: error.message, cause: error });
}
