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
  const since = (start: number) => readSums(store, 'at >= ?', start);
  const sums: [BudgetName, () => Sums, number | undefined][] = [
    ['day', () => since(startOf('day', at)), endOf('day', at)],
    ['month', () => since(startOf('month', at)), endOf('month', at)],
    ['conversation', () => readSums(store, 'conversation = ?', conversation), undefined],
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

/** What calls have cost, and what is set aside for those at work. */
export function readSums(store: Store, where: 'at >= ?' | 'conversation = ?', value: string | number): Sums {
  const row = store.get(
    `SELECT coalesce(sum(micros) FILTER (WHERE state <> 'reserved'), 0) AS spent,
            coalesce(sum(micros) FILTER (WHERE state = 'reserved'), 0) AS reserved FROM spend WHERE ${where}`,
    value,
  );
  return { spent: Number(row?.['spent'] ?? 0), reserved: Number(row?.['reserved'] ?? 0) };
}
