import { Client } from 'pg';
import type { Deps } from '../deps.ts';
import { VPS_CHANNEL } from './vps-events.ts';

/** Tells when something about a box has changed. */
export interface BoxListener {
  /** Calls `onChange` on every change of that box, and whenever one may have been missed. Returns how to stop it. */
  subscribe(boxId: string, onChange: () => void): () => void;
}

const RECONNECT_MS = 1_000;

/**
 * One connection that listens for all streams of this process. It is opened with the first and closed after the last, and
 * opened again when it breaks; then everybody is called, since nobody knows what was missed.
 */
export function createBoxListener(deps: Pick<Deps, 'config' | 'log'>): BoxListener {
  const subscribers = new Map<string, Set<() => void>>();
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;

  const callAll = () => [...subscribers.values()].flatMap((set) => [...set]).forEach((call) => call());

  async function close(own: Client): Promise<void> {
    try {
      await own.end();
    } catch (err) {
      deps.log.debug({ err }, 'the connection that listened did not close well');
    }
  }

  async function connect(): Promise<void> {
    timer = undefined;
    const own = new Client({ connectionString: deps.config.DATABASE_URL.reveal(), application_name: 'spoq-listen' });
    client = own;
    const lose = (err?: Error): void => {
      if (client !== own) return;
      client = undefined;
      if (err !== undefined) deps.log.warn({ err }, 'the connection that listens was lost');
      void close(own);
      if (subscribers.size > 0) timer ??= setTimeout(() => void connect(), RECONNECT_MS);
    };
    own.on('error', lose).on('end', () => lose());
    own.on('notification', ({ payload }) => subscribers.get(payload ?? '')?.forEach((call) => call()));
    try {
      await own.connect();
      await own.query(`LISTEN ${VPS_CHANNEL}`);
      callAll();
    } catch (error) {
      lose(error as Error);
    }
  }

  return {
    subscribe(boxId, onChange) {
      const set = subscribers.get(boxId) ?? new Set();
      subscribers.set(boxId, set.add(onChange));
      if (client === undefined && timer === undefined) void connect();
      return () => {
        set.delete(onChange);
        if (set.size === 0 && subscribers.get(boxId) === set) subscribers.delete(boxId);
        if (subscribers.size > 0) return;
        clearTimeout(timer);
        timer = undefined;
        const idle = client;
        client = undefined;
        if (idle !== undefined) void close(idle);
      };
    },
  };
}
