import type { BudgetReport } from '../../contract/budget.ts';
import type { Store } from '../store/store.ts';
import type { Limits } from './budget.ts';
import { endOf, startOf } from './periods.ts';
import { readConversation, readSince } from './standing.ts';
import type { Sums } from './standing.ts';

const MICROS = 1_000_000;

/** What was spent and what is left. */
export function createReport(store: Store, limits: Limits, at: number, conversation?: string): BudgetReport {
  const period = (name: 'day' | 'month') => ({
    ...describe(limits[name], readSince(store, startOf(name, at))),
    ends_at: new Date(endOf(name, at)).toISOString(),
  });
  const named =
    conversation === undefined
      ? { limit_usd: toUsd(limits.conversation), spent_usd: null, reserved_usd: null, left_usd: null }
      : describe(limits.conversation, readConversation(store, conversation));
  return {
    day: period('day'),
    month: period('month'),
    conversation: { id: conversation ?? null, ...named },
    models: listModels(store, startOf('month', at)),
  };
}

function describe(limit: number | null, { spent, reserved }: Sums) {
  return {
    limit_usd: toUsd(limit),
    spent_usd: spent / MICROS,
    reserved_usd: reserved / MICROS,
    left_usd: limit === null ? null : Math.max(0, limit - spent - reserved) / MICROS,
  };
}

function toUsd(micros: number | null): number | null {
  return micros === null ? null : micros / MICROS;
}

function listModels(store: Store, since: number): BudgetReport['models'] {
  const rows = store.all(
    `SELECT provider || '/' || model AS name, count(*) AS calls, sum(input_tokens) AS input, sum(cached_tokens) AS cached,
            sum(output_tokens) AS output, sum(micros) AS micros
     FROM spend WHERE at >= ? GROUP BY provider, model ORDER BY sum(micros) DESC, name`,
    since,
  );
  return rows.map((row) => ({
    model: String(row['name']),
    calls: Number(row['calls']),
    input_tokens: Number(row['input']),
    cached_tokens: Number(row['cached']),
    output_tokens: Number(row['output']),
    cost_usd: Number(row['micros']) / MICROS,
  }));
}
