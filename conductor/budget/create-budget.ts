import { SpoqError } from '../../contract/errors.ts';
import type { BudgetName } from '../../contract/budget.ts';
import type { Store } from '../store/store.ts';
import type { Budget, Call, Limits, Reservation } from './budget.ts';
import { costAtMost, costOf, outputAffordable } from './cost.ts';
import { createReport } from './report.ts';
import { refuseCall } from './refusal.ts';
import { readStandings } from './standing.ts';

export interface BudgetDeps {
  store: Store;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Where nobody has changed them. */
  defaults: Limits;
}

/** An answer of less isn't worth its input. What asks for less gets what it asks for. */
const LEAST_OUTPUT_TOKENS = 1_024;

/** Money, over the box's database. */
export function createBudget({ store, now, defaults }: BudgetDeps): Budget {
  const reserveWithin = (call: Call) => {
    const result = reserveNow(store, call, readLimits(store, defaults), now());
    return (): Reservation => {
      if (result instanceof SpoqError) throw result;
      return createReservation(store, call, result.id, result.outputTokens);
    };
  };
  return {
    async reserve(call) {
      let reserved: (() => Reservation) | undefined;
      await store.soon(() => {
        reserved = reserveWithin(call);
      });
      if (reserved === undefined) throw new SpoqError('storage_failed');
      return reserved();
    },
    reserveWithin,
    report: (conversation) => createReport(store, readLimits(store, defaults), now(), conversation),
    setLimits: (changes) =>
      store.soon(() => {
        for (const [name, micros] of Object.entries(changes)) {
          store.run('INSERT OR REPLACE INTO budgets (name, micros) VALUES (?, ?)', name, micros);
        }
      }),
  };
}

/** Charges what a process that ended left set aside: nobody knows what those calls have used. Called once, at start. Answers how many. */
export function keepUnsettled(store: Store): number {
  return store.transact(() => {
    const row = store.get("SELECT count(*) AS calls FROM spend WHERE state = 'reserved'");
    store.run("UPDATE spend SET state = 'kept' WHERE state = 'reserved'");
    return Number(row?.['calls'] ?? 0);
  });
}

/** Part of a transaction that other work shares: a refusal is answered, not thrown. */
function reserveNow(
  store: Store,
  call: Call,
  limits: Limits,
  at: number,
): { id: number; outputTokens: number } | SpoqError {
  // A clock that was set back: what was charged in its future counts from now on, so that nothing is forgotten and nothing shut for long.
  store.run('UPDATE spend SET at = ?1 WHERE at > ?1', at);
  const { price, inputTokensAtMost, outputTokensAtMost, conversation } = call;
  const wanted = costAtMost(price, inputTokensAtMost, outputTokensAtMost);
  const budgets = readStandings(store, limits, conversation, at);
  const [tightest] = budgets.toSorted((one, other) => one.left - other.left);
  let outputTokens = outputTokensAtMost;
  if (tightest !== undefined && wanted > 0 && wanted > tightest.left) {
    outputTokens = Math.min(outputTokensAtMost, outputAffordable(price, inputTokensAtMost, tightest.left));
    if (outputTokens < Math.min(LEAST_OUTPUT_TOKENS, outputTokensAtMost)) return refuseCall(tightest, wanted, at);
  }
  const micros = costAtMost(price, inputTokensAtMost, outputTokens);
  const row = store.get(
    `INSERT INTO spend (at, conversation, provider, model, state, micros) VALUES (?, ?, ?, ?, 'reserved', ?) RETURNING id`,
    at,
    conversation,
    call.provider,
    call.model,
    micros,
  );
  return { id: Number(row?.['id']), outputTokens };
}

function readLimits(store: Store, defaults: Limits): Limits {
  const limits = { ...defaults };
  for (const row of store.all('SELECT name, micros FROM budgets')) {
    limits[String(row['name']) as BudgetName] = row['micros'] === null ? null : Number(row['micros']);
  }
  return limits;
}

function createReservation(store: Store, call: Call, id: number, outputTokens: number): Reservation {
  const reserved = costAtMost(call.price, call.inputTokensAtMost, outputTokens);
  return {
    outputTokens,
    async settle(usage) {
      const cost_micros = costOf(call.price, usage);
      await store.soon(() =>
        store.run(
          `UPDATE spend SET state = 'settled', micros = ?, input_tokens = ?, cached_tokens = ?, cache_write_tokens = ?, output_tokens = ?
           WHERE id = ?`,
          cost_micros,
          usage.input_tokens,
          usage.cached_tokens,
          usage.cache_write_tokens,
          usage.output_tokens,
          id,
        ),
      );
      return { cost_micros };
    },
    release: () => store.soon(() => store.run('DELETE FROM spend WHERE id = ?', id)),
    async keep() {
      await store.soon(() => store.run("UPDATE spend SET state = 'kept' WHERE id = ?", id));
      return { cost_micros: reserved };
    },
  };
}
