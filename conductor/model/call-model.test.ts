import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { Reservation } from '../budget/budget.ts';
import { createBudget } from '../budget/create-budget.ts';
import { createStore } from '../store/store.ts';
import { callModel } from './call-model.ts';
import type { CallDeps, ModelCall } from './call-model.ts';

describe('a call whose money was set aside before', () => {
  it('gives it back when it is stopped before it has begun', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'call-model-'));
    const store = createStore(dir, () => undefined);
    try {
      const limits = { day: 10_000, month: null, conversation: null };
      const budget = createBudget({ store, now: Date.now, defaults: limits });
      const price = {
        rates: { input: 1e6, cached_input: 1e5, cache_write: 1e6, output: 5e6 },
        source: 'test',
        as_of: '2026-11-27',
      };
      const conversation = '4dd3c3a4-6f0f-4be5-8d1c-1b1f0f5b8a01';
      const asked = {
        provider: 'test',
        model: 'm',
        price,
        conversation,
        inputTokensAtMost: 100,
        outputTokensAtMost: 100,
      };
      const reserved: () => Reservation = store.transact(() => budget.reserveWithin(asked));
      expect(budget.report().day.reserved_usd).to.equal(0.0006);
      const stopped = new SpoqError('cancelled');
      // Neither key nor model is come to.
      const call = {
        models: [],
        conversation,
        instructions: '',
        messages: [],
        reserved,
        signal: AbortSignal.abort(stopped),
        onCost: () => undefined,
      } as unknown as ModelCall;
      const events = callModel({ budget } as unknown as CallDeps, call);
      expect(await events.next().catch((error: unknown) => error)).to.equal(stopped);
      expect(budget.report().day).to.deep.include({ reserved_usd: 0, spent_usd: 0 });
    } finally {
      store.close();
      await rm(dir, { recursive: true, force: true });
    }
  });
});
