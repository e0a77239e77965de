import { randomUUID } from 'node:crypto';
import type { ModelMessage } from 'ai';
import { ASK_LIMITS, AskRequest } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import type { Conversations, Turn } from '../conversations/conversations.ts';
import { readJsonBody } from '../json-body.ts';
import type { Outcome } from '../conversations/outcome.ts';
import type { Budget, Reservation } from '../budget/budget.ts';
import { boundMessages } from '../budget/input-bound.ts';
import { callModel, priceOf } from '../model/call-model.ts';
import type { JsonSchema, RetryPolicy } from '../model/call-model.ts';
import type { Choice, Models } from '../model/models.ts';
import { createUserMessage, INSTRUCTIONS } from '../model/question-text.ts';
import type { Question } from '../model/question-text.ts';
import { checkAnswer, checkSchema } from '../model/answer-schema.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { toPlainHistory } from '../model/plain-history.ts';
import type { Reachability } from '../reachability.ts';
import type { Middleware } from '../web.ts';
import { readerSignal, readLastEventId, sendEvents } from './turn-stream.ts';
import type { StreamLimits } from './turn-stream.ts';

export interface AskDeps extends StreamLimits {
  conversations: Conversations;
  models: Models;
  budget: Budget;
  keys: KeyRing;
  reachability: Reachability;
  reportBug: (error: unknown, requestId: string) => void;
  /** One line for the log when an answer has ended. */
  report: (requestId: string, notes: Record<string, string | number>) => void;
  retryPolicy?: RetryPolicy | undefined;
}

/** Longer than any answer of `max_output_tokens`; ends a call that lives on pings alone. */
const MAX_ANSWER_MS = 15 * 60_000;

/**
 * POST /api/ask: answers 200 and the events of the turn; what fails afterwards is an `error` event in them. The answer goes on when its
 * reader goes, and can be read again from any event.
 */
export function streamAnswer(deps: AskDeps): Middleware {
  return async (ctx) => {
    const { models, conversations } = deps;
    const question = parseInput(AskRequest, await readJsonBody(ctx, ASK_LIMITS.body_bytes));
    const seen = readLastEventId(ctx);
    checkSchema(question.schema);
    const choice = models.choose(question.model);
    const reader = readerSignal(ctx);
    ctx.state.notes['files'] = question.files.length;
    ctx.state.notes['request_bytes'] = Number(ctx.get('content-length')) || 0;
    const { request = randomUUID(), conversation, folder } = question;
    let prepared: Prepared | undefined;
    const begun = await conversations.begin({
      request,
      conversation,
      kind: 'ask',
      text: question.question,
      folder,
      model: choice[0].id,
      messages: [createUserMessage(question)],
      requestId: ctx.state.requestId,
      also(id) {
        prepared = prepareCall(deps, choice, id, question.schema);
      },
    });
    if (begun.live !== undefined && prepared !== undefined)
      void answer(deps, choice, begun.live, question, prepared, ctx.state.requestId);
    const after = Math.max(begun.after, seen);
    sendEvents(ctx, conversations.follow(begun.conversation, after, reader, begun.number), deps);
  };
}

interface Prepared {
  messages: ModelMessage[];
  reserved: () => Reservation;
}

/** Within the transaction that begins the turn: what the model is told, and the money for it. */
function prepareCall(
  { conversations, budget }: AskDeps,
  [model]: Choice,
  conversation: string,
  schema: JsonSchema | undefined,
): Prepared {
  const messages = toPlainHistory(conversations.recall(conversation) as ModelMessage[]);
  const inputTokens = boundMessages({ instructions: INSTRUCTIONS, messages, schema });
  return { messages, reserved: budget.reserveWithin(priceOf({ conversation }, model, inputTokens)) };
}

/** Answers one turn, whether somebody reads it or not. Never throws. */
async function answer(
  deps: AskDeps,
  choice: Choice,
  turn: Turn,
  question: Question,
  prepared: Prepared,
  requestId: string,
): Promise<void> {
  const own = new AbortController();
  const tooLong = setTimeout(() => {
    own.abort(new SpoqError('model_timeout', { detail: 'The answer took longer than 15 minutes.' }));
  }, MAX_ANSWER_MS);
  const began = performance.now();
  const notes: Record<string, string | number> = { model: choice[0].id };
  try {
    const { outcome, said } = await speak(deps, choice, turn, { ...prepared, schema: question.schema }, own, () => {
      notes['first_word_ms'] ??= Math.round(performance.now() - began);
    });
    notes['code'] = 'failure' in outcome ? outcome.failure.code : outcome.stop_reason;
    notes['input_tokens'] = outcome.input_tokens ?? 0;
    notes['output_tokens'] = outcome.output_tokens ?? 0;
    notes['cost_micros'] = outcome.cost_micros ?? 0;
    if ('stop_reason' in outcome && outcome.model !== undefined) notes['model'] = outcome.model;
    await turn.end(outcome, said === '' ? [] : [{ role: 'assistant', content: said }]);
  } catch (error) {
    if (error instanceof SpoqError) notes['code'] = error.code;
    else deps.reportBug(error, requestId);
  } finally {
    clearTimeout(tooLong);
    deps.report(requestId, { ...notes, ms: Math.round(performance.now() - began) });
  }
}

/** Never throws: a turn that has begun must come to its end. */
async function speak(
  deps: AskDeps,
  choice: Choice,
  turn: Turn,
  prepared: Prepared & { schema: JsonSchema | undefined },
  own: AbortController,
  onWord: () => void,
): Promise<{ outcome: Outcome; said: string }> {
  // What can't be written down isn't asked for any longer.
  const giveUp = (error: unknown): void => own.abort(error);
  const signal = AbortSignal.any([turn.signal, own.signal]);
  let said = '';
  let cost_micros = 0;
  let outcome: Outcome = { failure: new SpoqError('model_failed', { detail: 'The answer broke off.' }) };
  try {
    const call = {
      models: choice,
      conversation: turn.conversation,
      instructions: INSTRUCTIONS,
      ...prepared,
      signal,
      onCost: (micros: number) => void (cost_micros += micros),
    };
    const { budget, keys, reachability, retryPolicy: policy } = deps;
    for await (const event of callModel({ budget, keys, reachability, policy }, call)) {
      if (event.type === 'done') {
        const { stop_reason, model, input_tokens, output_tokens } = event;
        outcome = { stop_reason, input_tokens, output_tokens, model: model.id };
      } else if (event.type === 'text') {
        onWord();
        said += event.text;
        turn.say(event.text).catch(giveUp);
      } else if (event.type === 'notice') {
        turn.emit(event).catch(giveUp);
      }
    }
    if (!('failure' in outcome)) checkAnswer(said, prepared.schema);
  } catch (error) {
    if (!(error instanceof SpoqError)) deps.reportBug(error, '');
    const failure = error instanceof SpoqError ? error : new SpoqError('internal');
    outcome = { ...outcome, failure };
  }
  return { outcome: { ...outcome, cost_micros }, said };
}
