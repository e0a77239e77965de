import { Readable } from 'node:stream';
import { ASK_LIMITS, AskRequest } from '../../contract/conductor.ts';
import type { AskEvent } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { formatEvents, watchReader } from '../event-stream.ts';
import { readJsonBody } from '../json-body.ts';
import { answerQuestion } from '../model/answer.ts';
import type { AnswerEvent } from '../model/answer.ts';
import type { RetryPolicy } from '../model/answer.ts';
import type { Model } from '../model/create-model.ts';
import type { Question } from '../model/question-text.ts';
import type { Reachability } from '../reachability.ts';
import type { RunningAsks } from '../running-asks.ts';
import type { Context, Middleware } from '../web.ts';

export interface AskDeps {
  /** Undefined when the box has no model key. */
  model: Model | undefined;
  running: RunningAsks;
  reachability: Reachability;
  reportBug: (error: unknown, requestId: string) => void;
  retryPolicy?: RetryPolicy | undefined;
  heartbeatMs?: number | undefined;
  readerMs?: number | undefined;
}

/** Longer than any answer of `max_output_tokens`; ends a call that lives on pings alone. */
const MAX_ANSWER_MS = 15 * 60_000;
/** A reader that takes nothing for a minute is stuck or gone. */
const STUCK_READER_MS = 60_000;

/**
 * POST /api/ask: answers 200 and a stream at once; what fails afterwards is an `error` event in it. When the reader
 * goes, the model call is aborted.
 */
export function streamAnswer(deps: AskDeps): Middleware {
  return async (ctx) => {
    const { model } = deps;
    const question = parseInput(AskRequest, await readJsonBody(ctx, ASK_LIMITS.body_bytes));
    if (model === undefined) throw new SpoqError('model_not_configured');
    if (!ctx.writable) throw new SpoqError('cancelled');
    const { controller, end } = deps.running.begin();
    const tooLong = setTimeout(() => {
      controller.abort(new SpoqError('model_timeout', { detail: 'The answer took longer than 15 minutes.' }));
    }, MAX_ANSWER_MS);
    ctx.res.once('close', () => {
      clearTimeout(tooLong);
      controller.abort(new SpoqError('cancelled'));
      end();
    });
    noteQuestion(ctx, question);
    const answer = answerQuestion(model, question, controller.signal, {
      reachability: deps.reachability,
      policy: deps.retryPolicy,
    });
    const events = tellAnswer(ctx, deps, model, answer);
    ctx.set({ 'x-accel-buffering': 'no', 'cache-control': 'no-store, no-transform' });
    ctx.type = 'text/event-stream; charset=utf-8';
    const lines = formatEvents(events, deps.heartbeatMs);
    ctx.body = Readable.from(watchReader(lines, deps.readerMs ?? STUCK_READER_MS, () => ctx.res.destroy()));
    ctx.flushHeaders();
  };
}

/** The events of one answer: `start`, its words, and `done` or `error` as the last one. Never throws. */
async function* tellAnswer(
  ctx: Context,
  deps: AskDeps,
  model: Model,
  answer: AsyncIterable<AnswerEvent>,
): AsyncGenerator<AskEvent> {
  const { requestId, notes } = ctx.state;
  const started = performance.now();
  notes['model'] = model.id;
  yield { type: 'start', id: requestId, model: model.id };
  try {
    for await (const event of answer) {
      notes['first_word_ms'] ??= Math.round(performance.now() - started);
      if (event.type === 'done') {
        notes['output_tokens'] = event.output_tokens ?? 0;
        notes['input_tokens'] = event.input_tokens ?? 0;
        notes['code'] = event.stop_reason;
      }
      yield event;
    }
  } catch (error) {
    if (!(error instanceof SpoqError)) deps.reportBug(error, requestId);
    const failure = error instanceof SpoqError ? error : new SpoqError('internal');
    notes['code'] = failure.code;
    yield toErrorEvent(failure);
  }
}

function toErrorEvent(failure: SpoqError): AskEvent {
  return {
    type: 'error',
    code: failure.code,
    title: failure.title,
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
    next_step: failure.next,
    ...(failure.retryAfterSeconds === undefined ? {} : { retry_after_seconds: failure.retryAfterSeconds }),
  };
}

/** How much was asked, for the log; not a word of what. */
function noteQuestion(ctx: Context, question: Question): void {
  ctx.state.notes['files'] = question.files.length;
  ctx.state.notes['request_bytes'] = Number(ctx.get('content-length')) || 0;
}
