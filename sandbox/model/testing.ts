import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModel } from 'ai';
import { createAnthropicVendor } from '../anthropic/vendor.ts';
import { createOpenAIVendor } from '../openai/vendor.ts';
import { runVendor } from '../run-vendor.ts';
import type { RunningVendor } from '../run-vendor.ts';
import type { AnswerRecord } from './state.ts';

/** A PNG of 3 × 2 red pixels. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGP4z8AAQQxwFgBB0gX7h/C5SAAAAABJRU5ErkJggg==',
  'base64',
);

/** A script of three answers: a text with a call, two calls at once, and the report. */
export const FIX_SCRIPT = {
  match: 'fix the sum',
  steps: [
    { text: 'I look first.', calls: [{ name: 'read', input: { path: 'sum.ts' } }] },
    {
      expect: 'a - b',
      calls: [
        { name: 'edit', input: { path: 'sum.ts', was: '{{last_result}}', note: 'ä 🙂' } },
        { name: 'run', input: { command: 'npm test' } },
      ],
    },
    { expect: 'passed', text: 'Done: {{last_result}}' },
  ],
};

/** Each way in which the AI SDK speaks to one of the sandbox's models. */
export const WAYS = ['anthropic', 'openai responses', 'openai chat'] as const;
export type Way = (typeof WAYS)[number];

export interface RunningModel {
  running: RunningVendor;
  model: LanguageModel;
  /** A call below /_sandbox, which must succeed; answers what came as JSON. */
  control(method: string, path: string, body?: unknown): Promise<unknown>;
  answers(): Promise<AnswerRecord[]>;
  /** The bodies of the calls to the model so far. */
  calls(): Record<string, unknown>[];
}

export async function runModel(way: Way): Promise<RunningModel> {
  const isAnthropic = way === 'anthropic';
  const running = isAnthropic
    ? await runVendor('anthropic', createAnthropicVendor)
    : await runVendor('openai', createOpenAIVendor);
  return describeRunning(way, running);
}

/** The same for a vendor that already runs, as after a restart. */
export function describeRunning(way: Way, running: RunningVendor): RunningModel {
  const baseURL = `${running.url}/v1`;
  const [apiKey = ''] = Object.values(running.vendor.credentials);
  const control: RunningModel['control'] = async (method, path, body) => {
    const response = await fetch(`${running.url}/_sandbox${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    running,
    model: createLanguageModel(way, { baseURL, apiKey }),
    control,
    answers: () => control('GET', '/answers') as Promise<AnswerRecord[]>,
    calls: () =>
      running.requests
        .list()
        .filter(({ method, path }) => method === 'POST' && path.startsWith('/v1/'))
        .map((entry) => JSON.parse(entry.request_body) as Record<string, unknown>),
  };
}

function createLanguageModel(way: Way, options: { baseURL: string; apiKey: string }): LanguageModel {
  if (way === 'anthropic') return createAnthropic(options)('claude-haiku-5-5');
  const openai = createOpenAI(options);
  return way === 'openai chat' ? openai.chat('gpt-4.1') : openai.responses('gpt-5.6');
}
