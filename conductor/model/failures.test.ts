import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { ERRORS } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { askAll } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import {
  beginAnthropic,
  failAnthropic,
  refuseAnthropic,
  sayAnthropic,
  sayOpenAi,
  speakAnthropic,
  startModelServer,
} from '../testing/model-server.ts';
import type { Speak, TestModelServer } from '../testing/model-server.ts';
import { startConductor, TEST_API_KEY } from '../testing/start-conductor.ts';
import type { TestConductor } from '../testing/start-conductor.ts';

interface Failure {
  name: string;
  speak: Speak;
  provider?: 'openai';
  /** How often the model is called in the end. */
  calls: number;
  /** Words that arrive before the failure. */
  words?: string[];
  code: ErrorCode;
  detail?: string;
  next?: string;
  retryAfter?: number;
}

function refuseOpenAi(res: ServerResponse, status: number, error: Record<string, unknown>): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
}

function writeOpenAi(res: ServerResponse, event: { type: string } & Record<string, unknown>): void {
  res.write(`data: ${JSON.stringify({ sequence_number: 9, ...event })}\n\n`);
}

/** Sends the call elsewhere, where it would be answered. */
const redirectModel: Speak = (res, { path }) => {
  if (path === '/elsewhere') sayAnthropic(res, ['Hello']);
  else res.writeHead(307, { location: '/elsewhere' }).end();
};

const SHORTER = 'Ask something shorter, with fewer files.';
const FAILURES: Failure[] = [
  {
    name: '400',
    speak: (res) =>
      refuseAnthropic(res, 400, 'invalid_request_error', {}, 'input is too long:\u001b[31m 300000 tokens'),
    calls: 1,
    code: 'model_refused',
    detail: 'The model provider answered 400: input is too long: [31m 300000 tokens',
    next: SHORTER,
  },
  {
    name: '413',
    speak: (res) => refuseAnthropic(res, 413, 'request_too_large'),
    calls: 1,
    code: 'model_refused',
    detail: 'The model provider answered 413: request_too_large',
    next: SHORTER,
  },
  {
    name: '401',
    speak: (res) => refuseAnthropic(res, 401, 'authentication_error', {}, `bad key ${TEST_API_KEY}`),
    calls: 1,
    code: 'model_refused',
    detail: 'The model provider did not accept the key.',
  },
  {
    name: '402',
    speak: (res) => refuseAnthropic(res, 402, 'billing_error'),
    calls: 1,
    code: 'model_refused',
    detail: 'The account of the model key has no credit left.',
    next: 'Add credit to the model account.',
  },
  {
    name: '403',
    speak: (res) => refuseAnthropic(res, 403, 'permission_error'),
    calls: 1,
    code: 'model_refused',
    detail: 'The key may not use the model claude-sonnet-5-5.',
  },
  {
    name: '404',
    speak: (res) => refuseAnthropic(res, 404, 'not_found_error'),
    calls: 1,
    code: 'model_refused',
    detail: 'The model provider has no model claude-sonnet-5-5.',
  },
  { name: '429', speak: (res) => refuseAnthropic(res, 429, 'rate_limit_error'), calls: 3, code: 'model_rate_limited' },
  {
    name: '429 with a long Retry-After',
    speak: (res) => refuseAnthropic(res, 429, 'rate_limit_error', { 'retry-after': '60' }),
    calls: 1,
    code: 'model_rate_limited',
    retryAfter: 60,
  },
  {
    name: '429 with Retry-After 0, always',
    speak: (res) => refuseAnthropic(res, 429, 'rate_limit_error', { 'retry-after': '0' }),
    calls: 3,
    code: 'model_rate_limited',
    retryAfter: 0,
  },
  { name: '529', speak: (res) => refuseAnthropic(res, 529, 'overloaded_error'), calls: 3, code: 'model_overloaded' },
  { name: '503', speak: (res) => refuseAnthropic(res, 503, 'api_error'), calls: 3, code: 'model_overloaded' },
  {
    name: '500',
    speak: (res) => refuseAnthropic(res, 500, 'api_error'),
    calls: 3,
    code: 'model_failed',
    detail: 'The model provider answered 500.',
  },
  {
    name: '502 with a page of a proxy',
    speak: (res) => void res.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>'),
    calls: 3,
    code: 'model_failed',
    detail: 'The model provider answered 502.',
  },
  { name: '504', speak: (res) => refuseAnthropic(res, 504, 'timeout_error'), calls: 3, code: 'model_timeout' },
  {
    name: 'a connection closed without an answer',
    speak: (res) => void res.destroy(),
    calls: 3,
    code: 'model_failed',
    detail: 'The model provider could not be reached.',
  },
  {
    name: 'a redirect, which would carry the key away',
    speak: redirectModel,
    calls: 3,
    code: 'model_failed',
    detail: 'The model provider could not be reached.',
  },
  {
    name: 'silence from the start',
    speak: () => undefined,
    calls: 1,
    code: 'model_timeout',
    detail: 'The model was silent for 0.3 seconds.',
  },
  {
    name: 'silence in the middle',
    speak(res) {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_timeout',
    detail: 'The model was silent for 0.3 seconds.',
  },
  {
    name: 'overload told before the first word',
    speak(res) {
      beginAnthropic(res);
      failAnthropic(res, 'overloaded_error', 'Overloaded');
      res.end();
    },
    calls: 3,
    code: 'model_overloaded',
  },
  {
    name: 'overload told in the middle',
    speak(res) {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      failAnthropic(res, 'overloaded_error', 'Overloaded');
      res.end();
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_overloaded',
  },
  {
    name: 'an end without an ending',
    speak(res) {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      res.end();
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_failed',
    detail: 'The answer broke off.',
  },
  {
    name: 'a connection cut in the middle',
    speak(res) {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      setImmediate(() => res.destroy());
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_failed',
    detail: 'The answer of the model provider broke off.',
  },
  {
    name: 'an event that is not JSON',
    speak(res) {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      res.end('event: content_block_delta\ndata: {"type":\n\n');
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_failed',
    detail: 'The answer of the model provider broke off.',
  },
  {
    name: 'an account without credit (OpenAI)',
    provider: 'openai',
    speak: (res) =>
      refuseOpenAi(res, 429, {
        message: 'You exceeded your quota',
        type: 'insufficient_quota',
        code: 'insufficient_quota',
      }),
    calls: 1,
    code: 'model_refused',
    detail: 'The account of the model key has no credit left.',
    next: 'Add credit to the model account.',
  },
  {
    name: 'a question too long (OpenAI)',
    provider: 'openai',
    speak: (res) =>
      refuseOpenAi(res, 400, {
        message: 'context too long',
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      }),
    calls: 1,
    code: 'model_refused',
    detail: 'The model provider answered 400: context too long',
    next: SHORTER,
  },
  {
    name: 'a failed response in the middle (OpenAI)',
    provider: 'openai',
    speak(res) {
      sayOpenAi(res, ['Hel'], false);
      const error = { code: 'server_error', message: 'The server had an error' };
      writeOpenAi(res, { type: 'response.failed', response: { id: 'resp_1', status: 'failed', error } });
      res.end();
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_failed',
    detail: 'The model provider answered 500.',
  },
  {
    name: 'an end without an ending (OpenAI)',
    provider: 'openai',
    speak(res) {
      sayOpenAi(res, ['Hel'], false);
      res.end();
    },
    calls: 1,
    words: ['Hel'],
    code: 'model_failed',
    detail: 'The answer broke off.',
  },
];

describe('failures of the model provider', () => {
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

  async function ask(provider: 'anthropic' | 'openai' = 'anthropic'): Promise<unknown[]> {
    conductor = await startConductor({ plane, model: { provider, baseUrl: model.url, stallMs: 300 } });
    const [, ...events] = await askAll(conductor.local, { question: 'planted-question' });
    return events;
  }

  for (const failure of FAILURES) {
    it(`${failure.name}: ${failure.code}`, async () => {
      model.speak = failure.speak;
      const { title, next } = ERRORS[failure.code];
      expect(await ask(failure.provider)).to.deep.equal([
        ...(failure.words ?? []).map((text) => ({ type: 'text', text })),
        {
          type: 'error',
          code: failure.code,
          title,
          ...(failure.detail === undefined ? {} : { detail: failure.detail }),
          next_step: failure.next ?? next,
          ...(failure.retryAfter === undefined ? {} : { retry_after_seconds: failure.retryAfter }),
        },
      ]);
      expect(model.calls.length).to.equal(failure.calls);
      expect(JSON.stringify(conductor.logs)).not.to.match(/planted|sk-test/);
      expect(conductor.logs.filter(({ msg }) => msg === 'bug')).to.deep.equal([]);
    });
  }

  /** `kept`: the answer had begun, so that all is charged that was set aside for it. */
  const RECOVERIES: { name: string; refuse: (res: ServerResponse) => void; kept?: boolean }[] = [
    {
      name: '429 with Retry-After',
      refuse: (res) => refuseAnthropic(res, 429, 'rate_limit_error', { 'retry-after': '1' }),
    },
    { name: '529', refuse: (res) => refuseAnthropic(res, 529, 'overloaded_error') },
    { name: '500', refuse: (res) => refuseAnthropic(res, 500, 'api_error') },
    { name: 'a closed connection', refuse: (res) => void res.destroy() },
    {
      name: 'overload told before the first word',
      kept: true,
      refuse(res) {
        beginAnthropic(res);
        failAnthropic(res, 'overloaded_error', 'Overloaded');
        res.end();
      },
    },
  ];
  for (const { name, refuse, kept = false } of RECOVERIES) {
    it(`${name}, then fine: answered as if nothing had been`, async () => {
      const times: number[] = [];
      model.speak = (res, _call, number) => {
        times.push(performance.now());
        if (number === 1) refuse(res);
        else sayAnthropic(res, ['Hello']);
      };
      const [text, done, ...more] = (await ask()) as { cost_usd: number }[];
      expect([text, { ...done, cost_usd: 0 }, ...more]).to.deep.equal([
        { type: 'text', text: 'Hello' },
        {
          type: 'done',
          stop_reason: 'stop',
          input_tokens: 12,
          output_tokens: 7,
          cost_usd: 0,
          model: 'claude-sonnet-5-5',
        },
      ]);
      // 8,192 tokens at $10 a million, and a question of some 2,000 bytes.
      expect(done?.cost_usd).to.be.within(...((kept ? [0.082, 0.09] : [0.000094, 0.000094]) as [number, number]));
      const [first = 0, second = 0, ...others] = times;
      expect(others).to.deep.equal([]);
      if (name.includes('Retry-After')) expect(second - first).to.be.at.least(990);
    });
  }

  it('nobody listens at the base URL: model_failed', async () => {
    await model.close();
    const [event] = await ask();
    expect(event).to.deep.include({ code: 'model_failed', detail: 'The model provider could not be reached.' });
    model = await startModelServer();
  });
});
