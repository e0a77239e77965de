import type { BudgetName } from '../../contract/budget.ts';
import type { Store } from '../store/store.ts';
import type { Limits } from './budget.ts';
import { endOf, startOf } from './periods.ts';

/** One limit that there is, with what of it is gone. In micro-dollars. */
export interface Standing {
  name: BudgetName;
  limit: number;
  spent: number;
  reserved: number;
  left: number;
  /** When it opens again; undefined where it doesn't by itself. */
  endsAt: number | undefined;
}

/** How the limits stand that there are, for a call of this conversation. */
export function readStandings(store: Store, limits: Limits, conversation: string, at: number): Standing[] {
  const since = (start: number) => readSince(store, start);
  const sums: [BudgetName, () => Sums, number | undefined][] = [
    ['day', () => since(startOf('day', at)), endOf('day', at)],
    ['month', () => since(startOf('month', at)), endOf('month', at)],
    ['conversation', () => readConversation(store, conversation), undefined],
  ];
  return sums.flatMap(([name, read, endsAt]) => {
    const limit = limits[name];
    if (limit === null) return [];
    const { spent, reserved } = read();
    return [{ name, limit, spent, reserved, left: limit - spent - reserved, endsAt }];
  });
}

export interface Sums {
  spent: number;
  reserved: number;
}

/** What calls have cost since a time at which a day begins, and what is set aside for those at work. */
export function readSince(store: Store, start: number): Sums {
  return readSums(store, 'spend_days WHERE day >= ?', start / DAY_MS);
}

/** The same of a conversation. */
export function readConversation(store: Store, conversation: string): Sums {
  return readSums(store, 'spend_conversations WHERE conversation = ?', conversation);
}

const DAY_MS = 86_400_000;

function readSums(store: Store, from: string, value: string | number): Sums {
  const row = store.get(
    `SELECT coalesce(sum(spent), 0) AS spent, coalesce(sum(reserved), 0) AS reserved FROM ${from}`,
    value,
  );
  return { spent: Number(row?.['spent'] ?? 0), reserved: Number(row?.['reserved'] ?? 0) };
}
