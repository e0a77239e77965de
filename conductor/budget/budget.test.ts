import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { SpoqError } from '../../contract/errors.ts';
import { createStore } from '../store/store.ts';
import type { Store } from '../store/store.ts';
import type { Budget, Call, Limits } from './budget.ts';
import { createBudget, keepUnsettled } from './create-budget.ts';
import { PRICES } from './prices.ts';
import type { Price } from './prices.ts';

const ONE = '4dd3c3a4-6f0f-4be5-8d1c-1b1f0f5b8a01';
const OTHER = '4dd3c3a4-6f0f-4be5-8d1c-1b1f0f5b8a02';
/** A micro-dollar for a token of input, five for one of output. */
const PRICE: Price = {
  rates: { input: 1e6, cached_input: 1e5, cache_write: 1e6, output: 5e6 },
  source: 'test',
  as_of: '2026-11-27',
};
const NOON = Date.UTC(2026, 10, 27, 12);
const HOUR = 3_600_000;
const NONE: Limits = { day: null, month: null, conversation: null };

function call(changes: Partial<Call> = {}): Call {
  return {
    provider: 'test',
    model: 'm',
    price: PRICE,
    conversation: ONE,
    inputTokensAtMost: 100,
    outputTokensAtMost: 100,
    ...changes,
  };
}

const used = (input_tokens: number, output_tokens: number) => {
  return { input_tokens, output_tokens, cached_tokens: 0, cache_write_tokens: 0 };
};

async function refusal(work: Promise<unknown>): Promise<SpoqError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SpoqError) return error;
  throw new Error('it was not refused');
}

describe('budgets', () => {
  let dir: string;
  let store: Store;
  let now: number;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budget-'));
    store = createStore(dir, () => undefined);
    now = NOON;
  });
  afterEach(async () => {
    store.close();
    await rm(dir, { recursive: true, force: true });
  });

  const open = (limits: Partial<Limits>): Budget =>
    createBudget({ store, now: () => now, defaults: { ...NONE, ...limits } });
  const spent = (budget: Budget): number => Math.round((budget.report().day.spent_usd ?? 0) * 1e6);

  it('sets aside before a call, and charges what was used', async () => {
    const budget = open({ day: 10_000 });
    const reservation = await budget.reserve(call());
    expect(budget.report().day).to.deep.equal({
      limit_usd: 0.01,
      spent_usd: 0,
      reserved_usd: 0.0006,
      left_usd: 0.0094,
      ends_at: '2026-11-28T00:00:00.000Z',
    });
    const cached = { input_tokens: 100, cached_tokens: 50, cache_write_tokens: 10, output_tokens: 3 };
    expect(await reservation.settle(cached)).to.deep.equal({ cost_micros: 40 + 5 + 10 + 15 });
    expect(budget.report(ONE)).to.deep.equal({
      day: {
        limit_usd: 0.01,
        spent_usd: 0.00007,
        reserved_usd: 0,
        left_usd: 0.00993,
        ends_at: '2026-11-28T00:00:00.000Z',
      },
      month: {
        limit_usd: null,
        spent_usd: 0.00007,
        reserved_usd: 0,
        left_usd: null,
        ends_at: '2026-12-01T00:00:00.000Z',
      },
      conversation: { id: ONE, limit_usd: null, spent_usd: 0.00007, reserved_usd: 0, left_usd: null },
      models: [
        { model: 'test/m', calls: 1, input_tokens: 100, cached_tokens: 50, output_tokens: 3, cost_usd: 0.00007 },
      ],
    });
  });

  it('charges nothing for a call that never began, and everything for one that was broken off', async () => {
    const budget = open({ day: 10_000 });
    await (await budget.reserve(call())).release();
    expect(spent(budget)).to.equal(0);
    expect(await (await budget.reserve(call())).keep()).to.deep.equal({ cost_micros: 600 });
    expect([spent(budget), budget.report().day.reserved_usd]).to.deep.equal([600, 0]);
  });

  for (const [name, opens] of [
    ['day', '2026-11-28T00:00Z'],
    ['month', '2026-12-01T00:00Z'],
  ] as const) {
    it(`names the budget of the ${name}, what is spent, and when it opens again`, async () => {
      const budget = open({ [name]: 1_000_000, conversation: 5_000_000 });
      await (await budget.reserve(call({ outputTokensAtMost: 120_000 }))).settle(used(100, 119_980));
      const atWork = await budget.reserve(call({ outputTokensAtMost: 79_200, inputTokensAtMost: 0 }));
      const error = await refusal(budget.reserve(call({ outputTokensAtMost: 1_000 })));
      const said = name === 'day' ? 'today' : 'this month';
      expect([error.code, error.status, error.detail, error.next, error.retryAfterSeconds]).to.deep.equal([
        'budget_exceeded',
        402,
        `The budget of ${said} is $1.00: $0.60 is spent, $0.40 is set aside for calls at work, and this call may cost up to $0.0051. ` +
          `It opens again at ${opens}.`,
        `What was said is kept. Raise the budget with \`spoq budget set --${name}\`, or wait until it opens again.`,
        (Date.parse(opens) - NOON) / 1000,
      ]);
      await atWork.release();
    });
  }

  it('holds a conversation to its own budget, and others go on', async () => {
    const budget = open({ conversation: 1_000 });
    await (await budget.reserve(call())).settle(used(100, 100));
    const error = await refusal(budget.reserve(call()));
    expect([error.detail, error.retryAfterSeconds]).to.deep.equal([
      'The budget of this conversation is $0.0010: $0.00060 is spent, and this call may cost up to $0.00060.',
      undefined,
    ]);
    expect(error.next).to.include('begin another conversation');
    await (await budget.reserve(call({ conversation: OTHER }))).release();
  });

  it('lets a call say less where that fits, but not next to nothing', async () => {
    const budget = open({ day: 10_000 });
    const short = await budget.reserve(call({ outputTokensAtMost: 8_192 }));
    expect(short.outputTokens).to.equal((10_000 - 100) / 5);
    expect(await short.settle(used(100, short.outputTokens))).to.deep.equal({ cost_micros: 10_000 });
    await budget.setLimits({ day: 15_000 });
    expect((await refusal(budget.reserve(call({ outputTokensAtMost: 8_192 })))).code).to.equal('budget_exceeded');
    // What asks for little gets all of it.
    expect((await budget.reserve(call({ outputTokensAtMost: 900 }))).outputTokens).to.equal(900);
  });

  it('asks what costs nothing also when all is spent', async () => {
    const budget = open({ day: 0 });
    const free = { ...PRICE, rates: { input: 0, cached_input: 0, cache_write: 0, output: 0 } };
    const reservation = await budget.reserve(call({ price: free, outputTokensAtMost: 8_192 }));
    expect([reservation.outputTokens, await reservation.settle(used(50, 50))]).to.deep.equal([
      8_192,
      { cost_micros: 0 },
    ]);
    expect((await refusal(budget.reserve(call()))).code).to.equal('budget_exceeded');
  });

  it('takes the dearest price that a long call can have', async () => {
    const price = PRICES['anthropic/claude-haiku-5-5'] as Price;
    const budget = open({ day: 1_000_000 });
    const long = await budget.reserve(call({ price, inputTokensAtMost: 100_001, outputTokensAtMost: 1_000 }));
    expect(budget.report().day.reserved_usd).to.equal(Math.ceil(100_001 * 0.625 + 1_000 * 2.5) / 1e6);
    expect(await long.settle(used(100_000, 1_000))).to.deep.equal({ cost_micros: 10_500 });
    const longer = await budget.reserve(call({ price, inputTokensAtMost: 100_001, outputTokensAtMost: 1_000 }));
    expect(await longer.settle(used(100_001, 1_000))).to.deep.equal({ cost_micros: Math.ceil(50_000.5 + 2_500) });
  });

  it('is never passed by fifty calls at once, whatever they use', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({ day: fc.integer({ min: 0, max: 40_000 }), month: fc.integer({ min: 0, max: 60_000 }) }),
        fc.integer({ min: 500, max: 30_000 }),
        fc.array(
          fc.record({
            input: fc.nat({ max: 2_000 }),
            output: fc.nat({ max: 1_500 }),
            share: fc.double({ min: 0, max: 1, noNaN: true }),
            conversation: fc.constantFrom(ONE, OTHER),
            end: fc.constantFrom('settle', 'settle', 'settle', 'release', 'keep', 'die'),
          }),
          { minLength: 50, maxLength: 50 },
        ),
        async (limits, conversation, calls) => {
          store.run('DELETE FROM spend');
          const budget = open({ ...limits, conversation });
          const ends = calls.map(async (one) => {
            const wanted = { inputTokensAtMost: one.input, outputTokensAtMost: one.output };
            const reservation = await budget
              .reserve(call({ ...wanted, conversation: one.conversation }))
              .catch(refused);
            if (reservation === undefined) return;
            const output = Math.floor(reservation.outputTokens * one.share);
            if (one.end === 'settle') await reservation.settle(used(Math.floor(one.input * one.share), output));
            else if (one.end !== 'die') await reservation[one.end]();
          });
          await Promise.all(ends);
          keepUnsettled(store);
          const total = (where: string): number =>
            Number(store.get(`SELECT coalesce(sum(micros), 0) AS micros FROM spend WHERE ${where}`)?.['micros']);
          expect(total('true')).to.be.at.most(Math.min(limits.day, limits.month));
          for (const id of [ONE, OTHER]) expect(total(`conversation = '${id}'`)).to.be.at.most(conversation);
        },
      ),
      { numRuns: 40 },
    );
    function refused(error: unknown): undefined {
      if (!(error instanceof SpoqError) || error.code !== 'budget_exceeded') throw error;
    }
  });

  it('is the same after a restart, limits that were changed too', async () => {
    const budget = open({ day: 10_000 });
    await budget.setLimits({ day: 2_000, conversation: null });
    await (await budget.reserve(call())).settle(used(100, 100));
    store.close();
    store = createStore(dir, () => undefined);
    const after = open({ day: 10_000, conversation: 1 });
    expect([after.report().day.limit_usd, after.report().conversation.limit_usd]).to.deep.equal([0.002, null]);
    expect(spent(after)).to.equal(600);
  });

  it('charges what a process that was killed had set aside', async () => {
    const script = `
      import { createStore } from '${new URL('../store/store.ts', import.meta.url).href}';
      import { createBudget } from '${new URL('./create-budget.ts', import.meta.url).href}';
      const store = createStore(${JSON.stringify(dir)}, () => undefined);
      const budget = createBudget({ store, now: Date.now, defaults: ${JSON.stringify(NONE)} });
      for (let index = 0; index < 3; index += 1) await budget.reserve(${JSON.stringify(call())});
      console.log('reserved');
      setInterval(() => undefined, 1000);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    now = Date.now();
    const budget = open({ day: 2_000 });
    expect(budget.report().day).to.deep.include({ spent_usd: 0, reserved_usd: 0.0018 });
    expect(keepUnsettled(store)).to.equal(3);
    expect(keepUnsettled(store)).to.equal(0);
    expect(budget.report().day).to.deep.include({ spent_usd: 0.0018, reserved_usd: 0, left_usd: 0.0002 });
    expect((await refusal(budget.reserve(call()))).code).to.equal('budget_exceeded');
  });

  it('begins anew with the day and with the month', async () => {
    now = Date.UTC(2026, 11, 31, 23, 59, 59, 999);
    const budget = open({ day: 1_000, month: 1_000 });
    await (await budget.reserve(call())).settle(used(100, 100));
    expect((await refusal(budget.reserve(call()))).retryAfterSeconds).to.equal(1);
    expect(budget.report().month.ends_at).to.equal('2027-01-01T00:00:00.000Z');
    now += 1;
    expect(budget.report().month).to.deep.include({ spent_usd: 0, ends_at: '2027-02-01T00:00:00.000Z' });
    await (await budget.reserve(call())).settle(used(100, 100));
    now += 24 * HOUR;
    expect((await refusal(budget.reserve(call()))).detail).to.match(/^The budget of this month /);
  });

  it('forgets nothing when the clock is set back, and is not shut for long by one that was far ahead', async () => {
    const budget = open({ day: 1_000, month: 1_900 });
    now = NOON + 20 * 365 * 24 * HOUR;
    await (await budget.reserve(call())).settle(used(100, 100));
    now = NOON;
    // What was charged in that future counts today.
    expect((await refusal(budget.reserve(call()))).detail).to.match(/^The budget of today .* \$0\.00060 is spent/);
    now = NOON + 24 * HOUR;
    await (await budget.reserve(call())).settle(used(100, 100));
    // Over midnight and back: both days' charges count.
    now = NOON + 11 * HOUR;
    expect((await refusal(budget.reserve(call()))).detail).to.match(/^The budget of today .* \$0\.0012 is spent/);
  });

  it('gives nothing away when it cannot be written down', async () => {
    const budget = open({ day: 10_000 });
    await budget.reserve(call());
    store.run('PRAGMA query_only = ON');
    expect((await refusal(budget.reserve(call()))).code).to.equal('storage_failed');
    store.run('PRAGMA query_only = OFF');
    expect(budget.report().day.reserved_usd).to.equal(0.0006);
  });
});
