import { setTimeout as wait } from 'node:timers/promises';
import { streamText } from 'ai';
import type { Instructions, ModelMessage, TextStreamPart, ToolSet } from 'ai';
import { SpoqError } from '../../contract/errors.ts';
import type { Reachability } from '../reachability.ts';
import type { Model } from './create-model.ts';
import { describeFailure } from './failures.ts';
import { INSTRUCTIONS } from './question-text.ts';

export interface RetryPolicy {
  /** How often a call is repeated that failed before its first word. */
  retries: number;
  /** The first wait when the provider names none; doubles. */
  backoffMs: number;
  /** All waits of one question together. Who waits at a terminal rather hears why. */
  waitBudgetMs: number;
}

const RETRY_POLICY: RetryPolicy = { retries: 2, backoffMs: 500, waitBudgetMs: 8_000 };

export interface AnswerDeps {
  reachability: Reachability;
  policy?: RetryPolicy | undefined;
  /** What it is told of its task, and what it may call; a question is answered when left out. */
  task?: { instructions: Instructions; tools: ToolSet } | undefined;
}

export type AnswerEvent =
  | { type: 'text'; text: string }
  | {
      type: 'done';
      stop_reason: string;
      input_tokens: number | null;
      output_tokens: number | null;
      /** What it has said and called, as it is to be told again. */
      messages: ModelMessage[];
    };

/**
 * Asks the model and yields its words as they come, then `done`. Throws a SpoqError with a `model_*` code, or the reason
 * of `signal`, which also ends the call of the provider at once. Repeats a call only while nothing has been said.
 */
export async function* answerQuestion(
  model: Model,
  messages: ModelMessage[],
  signal: AbortSignal,
  { reachability, policy = RETRY_POLICY, task = { instructions: INSTRUCTIONS, tools: {} } }: AnswerDeps,
): AsyncGenerator<AnswerEvent> {
  let waitedMs = 0;
  for (let attempt = 0; ; attempt += 1) {
    let spoke = false;
    try {
      for await (const event of callModel(model, messages, signal, task)) {
        if (!spoke) reachability.worked('model');
        spoke = true;
        yield event;
      }
      return;
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const { error, retryable, unreached = false } = describeFailure(thrown, model);
      if (unreached) reachability.failed('model', error.message);
      const named = error.retryAfterSeconds;
      const waitMs = named === undefined ? policy.backoffMs * 2 ** attempt : named * 1000;
      const affordable = attempt < policy.retries && waitedMs + waitMs <= policy.waitBudgetMs;
      if (spoke || !retryable || !affordable) throw error;
      waitedMs += waitMs;
      await wait(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw signal.reason;
    }
  }
}

async function* callModel(
  model: Model,
  messages: ModelMessage[],
  signal: AbortSignal,
  task: Required<AnswerDeps>['task'] & object,
): AsyncGenerator<AnswerEvent> {
  const stall = new AbortController();
  const result = streamText({
    model: model.model,
    ...task,
    messages,
    maxOutputTokens: model.maxOutputTokens,
    maxRetries: 0,
    abortSignal: AbortSignal.any([signal, stall.signal]),
    ...(model.options === undefined ? {} : { providerOptions: model.options }),
    onError: () => undefined, // Failures come as parts below; the default would print the question's request.
  });
  const parts = result.stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const part = await nextPart(parts, stall, model.stallMs);
      if (stall.signal.aborted) throw stall.signal.reason;
      if (part === undefined) throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
      const event = readPart(part);
      if (event === undefined) continue;
      if (event.type === 'text') {
        yield event;
        continue;
      }
      yield { ...event, messages: await result.responseMessages };
      return;
    }
  } finally {
    // Whoever leaves this loop early, by an error or by not reading on, must not leave a paid call running.
    stall.abort();
  }
}

/** The next part, or undefined at the end. Only waiting for the model counts as silence, not a slow reader of ours. */
async function nextPart<T>(parts: AsyncIterator<T>, stall: AbortController, ms: number): Promise<T | undefined> {
  const silent = (): void => {
    stall.abort(new SpoqError('model_timeout', { detail: `The model was silent for ${ms / 1000} seconds.` }));
  };
  const timer = setTimeout(silent, ms);
  try {
    const result = await parts.next();
    return result.done === true ? undefined : result.value;
  } finally {
    clearTimeout(timer);
  }
}

type PartEvent = Exclude<AnswerEvent, { type: 'done' }> | Omit<Extract<AnswerEvent, { type: 'done' }>, 'messages'>;

function readPart(part: TextStreamPart<ToolSet>): PartEvent | undefined {
  switch (part.type) {
    case 'text-delta':
      return part.text === '' ? undefined : { type: 'text', text: part.text };
    case 'error':
      throw part.error;
    case 'abort':
      throw new SpoqError('cancelled');
    case 'finish':
      if (part.finishReason === 'interrupted' || part.finishReason === 'error') {
        throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
      }
      return {
        type: 'done',
        stop_reason: part.finishReason.replaceAll('-', '_'),
        input_tokens: part.totalUsage.inputTokens ?? null,
        output_tokens: part.totalUsage.outputTokens ?? null,
      };
    default:
      return undefined;
  }
}
