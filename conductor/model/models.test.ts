import { expect } from 'chai';
import type { ModelList } from '../../contract/models.ts';
import { askAll, send } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import {
  beginAnthropic,
  failAnthropic,
  refuseAnthropic,
  sayAnthropic,
  sayCompatible,
  sayOpenAi,
  speakAnthropic,
  startModelServer,
} from '../testing/model-server.ts';
import type { Speak, TestModelServer } from '../testing/model-server.ts';
import { startConductor, TEST_API_KEY } from '../testing/start-conductor.ts';
import type { StartOptions, TestConductor } from '../testing/start-conductor.ts';
import type { ProviderConfig } from '../config.ts';
import { createModels } from './models.ts';

const FALLBACK = ['openai/gpt-5-mini', 'local/tiny'];

describe('models', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    model = await startModelServer();
  });
  afterEach(async () => {
    await conductor.close();
    await model.close();
  });

  /** Anthropic, OpenAI and a server of one's own, all at the same address. */
  async function start(options: Partial<StartOptions> = {}): Promise<void> {
    const shared = { key: TEST_API_KEY, models: [] };
    conductor = await startConductor({
      plane,
      ...options,
      ai: {
        providers: [
          { name: 'anthropic', kind: 'anthropic', baseUrl: model.url, ...shared },
          { name: 'openai', kind: 'openai', baseUrl: model.url, ...shared },
          { name: 'local', kind: 'compatible', baseUrl: `${model.url}/local`, key: undefined, models: ['tiny'] },
        ],
        aliases: { fast: 'anthropic/claude-haiku-5-5', best: 'openai/gpt-5.6' },
        prices: { 'local/tiny': { input: 0, output: 0 }, 'local/priced': { input: 1, output: 2 } },
        ...options.ai,
      },
    });
  }

  async function ask(name?: string): Promise<Record<string, unknown>[]> {
    const question = { question: 'Why?', ...(name === undefined ? {} : { model: name }) };
    return (await askAll(conductor.local, question)) as Record<string, unknown>[];
  }

  async function refuse(name: string): Promise<unknown> {
    const { json } = await send(conductor.local, {
      method: 'POST',
      path: '/api/ask',
      body: { question: 'Why?', model: name },
    });
    const { status, code, detail, next_step } = json as Record<string, unknown>;
    return { status, code, detail, next_step };
  }

  const speakAs: Speak = (res, { path }) => {
    if (path === '/v1/messages') sayAnthropic(res, ['Hello']);
    else if (path === '/v1/responses') sayOpenAi(res, ['Hello']);
    else sayCompatible(res, ['Hello']);
  };

  const NAMES: [string | undefined, string, string, number][] = [
    [undefined, '/v1/messages', 'claude-sonnet-5-5', 0.000094],
    ['claude-opus-5-5', '/v1/messages', 'claude-opus-5-5', 0.000188],
    ['anthropic/claude-haiku-5-5', '/v1/messages', 'claude-haiku-5-5', 0.000005],
    ['fast', '/v1/messages', 'claude-haiku-5-5', 0.000005],
    ['gpt-5-mini', '/v1/responses', 'gpt-5-mini', 0.000017],
    ['best', '/v1/responses', 'gpt-5.6', 0.00027],
    ['local/tiny', '/local/chat/completions', 'tiny', 0],
    ['tiny', '/local/chat/completions', 'tiny', 0],
    ['local/priced', '/local/chat/completions', 'priced', 0.000026],
  ];
  for (const [name, path, id, cost] of NAMES) {
    it(`${name ?? 'nothing said'}: ${id}`, async () => {
      model.speak = speakAs;
      await start();
      const events = await ask(name);
      expect(events[0]).to.deep.include({ type: 'start', model: id });
      expect(events.at(-1)).to.deep.include({ type: 'done', model: id, cost_usd: cost });
      expect(model.calls.map((call) => [call.path, call.body['model']])).to.deep.equal([[path, id]]);
      // Where no key is needed, none of another provider is sent.
      if (path.startsWith('/local')) expect(JSON.stringify(model.calls[0]?.headers)).not.to.include(TEST_API_KEY);
    });
  }

  it('says of a model that it does not know how such a one is named', async () => {
    await start();
    expect(await refuse('gpt-9')).to.deep.equal({
      status: 422,
      code: 'model_unknown',
      detail:
        "'gpt-9' is no model that this box knows, and no alias. A model that is new is named with its provider (anthropic, openai, local): anthropic/gpt-9.",
      next_step: 'See `spoq models`.',
    });
    expect(model.calls).to.deep.equal([]);
  });

  it('asks no model whose price is not known, and says what to add', async () => {
    await start();
    expect(await refuse('openai/gpt-9')).to.deep.equal({
      status: 422,
      code: 'model_price_unknown',
      detail: 'Nothing is known of what openai/gpt-9 costs, so no budget could hold it.',
      next_step:
        'Add to /etc/conductor/config.toml on the box: [prices."openai/gpt-9"] with input and output, ' +
        'in US dollars for a million tokens; then `sudo systemctl restart conductor`. Or ask another one: `spoq models`.',
    });
    expect(model.calls).to.deep.equal([]);
  });

  it('refuses a name that is no text', async () => {
    await start();
    for (const name of ['', ' ', 7, 'x'.repeat(201)]) {
      const body = { question: 'Why?', model: name };
      const { status, json } = await send(conductor.local, { method: 'POST', path: '/api/ask', body });
      expect([status, json]).to.have.nested.property('[1].errors[0].field', 'model');
      expect(status).to.equal(400);
    }
  });

  it('lists what can be asked, with prices', async () => {
    await start({ ai: { fallback: FALLBACK } });
    const list = (await send(conductor.local, { path: '/api/models' })).json as ModelList;
    expect({ ...list, models: [] }).to.deep.equal({
      default: 'anthropic/claude-sonnet-5-5',
      fallback: FALLBACK,
      aliases: { fast: 'anthropic/claude-haiku-5-5', best: 'openai/gpt-5.6' },
      models: [],
    });
    const find = (name: string) => list.models.filter((one) => one.name === name);
    expect(find('anthropic/claude-haiku-5-5')).to.deep.equal([
      {
        name: 'anthropic/claude-haiku-5-5',
        provider: 'anthropic',
        model: 'claude-haiku-5-5',
        ready: true,
        price: {
          input_usd: 0.1,
          cached_input_usd: 0.01,
          cache_write_usd: 0.125,
          output_usd: 0.5,
          long: {
            over_tokens: 100_000,
            input_usd: 0.5,
            cached_input_usd: 0.05,
            cache_write_usd: 0.625,
            output_usd: 2.5,
          },
          source: 'https://platform.claude.com/docs/en/about-claude/pricing',
          as_of: '2026-11-27',
        },
      },
    ]);
    expect(find('local/tiny')[0]).to.deep.include({ ready: true });
    expect(find('local/tiny')[0]?.price?.input_usd).to.equal(0);
  });

  it('takes the price of its owner before ours', () => {
    const config = { provider: 'openai', model: undefined, fallback: [], aliases: {}, maxOutputTokens: 1, stallMs: 1 };
    const providers = [
      { name: 'openai', kind: 'openai' as const, baseUrl: undefined, key: 'k', models: [] },
    ] satisfies ProviderConfig[];
    const priceOf = (prices: Record<string, { input: number; output: number }>) =>
      createModels({
        config: { ...config, providers, prices },
        findKey: () => 'key',
        fetch,
      }).choose()[0].price.rates;
    const own = { input: 7e6, cached_input: 7e6, cache_write: 7e6, output: 8e6 };
    expect(priceOf({ 'gpt-5.6': { input: 7, output: 8 } })).to.deep.equal(own);
    expect(priceOf({ 'openai/gpt-5.6': { input: 7, output: 8 }, 'gpt-5.6': { input: 1, output: 1 } })).to.deep.equal(
      own,
    );
    expect(priceOf({ 'other/gpt-5.6': { input: 7, output: 8 } }).input).to.equal(5e6);
  });

  const ABSENCES: [string, Speak, string][] = [
    ['overload', (res) => refuseAnthropic(res, 529, 'overloaded_error'), 'is overloaded'],
    ['a rate limit', (res) => refuseAnthropic(res, 429, 'rate_limit_error'), 'is at its rate limit'],
    ['no answer', (res) => void res.destroy(), 'could not be reached'],
    [
      'overload told before the first word',
      (res) => {
        beginAnthropic(res);
        failAnthropic(res, 'overloaded_error', 'Overloaded');
        res.end();
      },
      'is overloaded',
    ],
  ];
  for (const [name, speak, words] of ABSENCES) {
    it(`asks the next one on ${name}, and says so`, async () => {
      model.speak = (res, call, number) =>
        call.path === '/v1/messages' ? speak(res, call, number) : speakAs(res, call, number);
      await start({ ai: { fallback: FALLBACK } });
      const [begun, ...events] = await ask();
      expect(begun).to.deep.include({ model: 'claude-sonnet-5-5' });
      expect(events.slice(0, -1)).to.deep.equal([
        {
          type: 'notice',
          code: 'model_fallback',
          message: `claude-sonnet-5-5 ${words}; gpt-5-mini is asked instead.`,
        },
        { type: 'text', text: 'Hello' },
      ]);
      expect(events.at(-1)).to.deep.include({ type: 'done', model: 'gpt-5-mini' });
      const { models } = (await send(conductor.local, { path: '/api/budget' })).json as {
        models: { model: string; calls: number }[];
      };
      expect(models.find((one) => one.model === 'openai/gpt-5-mini')).to.deep.include({ calls: 1, cost_usd: 0.000017 });
    });
  }

  it('goes down the whole list, and tells the failure of the last', async () => {
    model.speak = (res, { path }) => {
      if (path === '/local/chat/completions') res.writeHead(503).end();
      else refuseAnthropic(res, 529, 'overloaded_error');
    };
    await start({ ai: { fallback: FALLBACK }, limits: { retryPolicy: { retries: 0, backoffMs: 1, waitBudgetMs: 1 } } });
    const events = await ask();
    expect(events.map(({ type, code }) => [type, code])).to.deep.equal([
      ['start', undefined],
      ['notice', 'model_fallback'],
      ['notice', 'model_fallback'],
      ['error', 'model_overloaded'],
    ]);
  });

  it('asks no other one once a word is said', async () => {
    model.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      failAnthropic(res, 'overloaded_error', 'Overloaded');
      res.end();
    };
    await start({ ai: { fallback: FALLBACK } });
    expect((await ask()).map(({ type, code }) => [type, code])).to.deep.equal([
      ['start', undefined],
      ['text', undefined],
      ['error', 'model_overloaded'],
    ]);
    expect(model.calls.length).to.equal(1);
  });

  it('asks no other one where it was refused', async () => {
    model.speak = (res) => refuseAnthropic(res, 401, 'authentication_error');
    await start({ ai: { fallback: FALLBACK } });
    expect((await ask()).at(-1)).to.deep.include({ code: 'model_refused' });
    expect(model.calls.length).to.equal(1);
  });

  it('ends with what the budget says, and keeps what was said before', async () => {
    await start({ budget: { conversation: 90_000 } });
    const events = await ask();
    const { conversation } = events[0] as { conversation: string };
    const before = (await askAll(conductor.local, { question: 'x'.repeat(60_000), conversation })).at(-1);
    expect(before).to.deep.include({ type: 'error', code: 'budget_exceeded' });
    expect(model.calls.length).to.equal(1);
    expect((before as { detail: string }).detail).to.match(
      /^The budget of this conversation is \$0\.090: \$0\.000094 is spent, and this call may cost up to \$0\.2\d\.$/,
    );
    const report = await send(conductor.local, { path: `/api/budget?conversation=${conversation}` });
    expect(report.json).to.have.nested.property('conversation.spent_usd', 0.000094);
    const raised = await send(conductor.local, { method: 'PUT', path: '/api/budget', body: { conversation_usd: 1 } });
    expect(raised.json).to.have.nested.property('conversation.limit_usd', 1);
    expect((await askAll(conductor.local, { question: 'Why?', conversation })).at(-1)).to.deep.include({
      type: 'done',
    });
  });

  it('asks for a shorter answer where the budget is almost used', async () => {
    await start({ budget: { day: 40_000 } });
    expect((await ask()).at(-1)).to.deep.include({ type: 'done' });
    expect(model.calls[0]?.body['max_tokens']).to.be.within(3_000, 4_000);
  });

  it('charges an answer that was interrupted as it was reserved', async () => {
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
    model.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'first');
      hear();
    };
    await start();
    const asking = ask();
    await heard;
    const { json } = await send(conductor.local, { path: '/api/conversations' });
    const { id } = (json as { conversations: { id: string }[] }).conversations[0] as { id: string };
    await send(conductor.local, { method: 'POST', path: `/api/conversations/${id}/interrupt` });
    expect((await asking).at(-1)).to.deep.include({ code: 'cancelled' });
    const { day } = (await send(conductor.local, { path: '/api/budget' })).json as {
      day: { spent_usd: number; reserved_usd: number };
    };
    expect(day.spent_usd).to.be.within(0.082, 0.09);
    expect(day.reserved_usd).to.equal(0);
  });

  for (const [what, body, field] of [
    ['nothing', {}, 'body'],
    ['an amount below zero', { day_usd: -1 }, 'day_usd'],
    ['what it does not know', { day_usd: 1, year_usd: 1 }, 'body'],
    ['a text', { month_usd: '5' }, 'month_usd'],
  ] as const) {
    it(`refuses a budget of ${what}, by name`, async () => {
      await start();
      const { status, json } = await send(conductor.local, { method: 'PUT', path: '/api/budget', body });
      expect(status).to.equal(400);
      expect((json as { errors: { field: string }[] }).errors.map((fault) => fault.field)).to.deep.equal([field]);
    });
  }
});
