import { setTimeout as wait } from 'node:timers/promises';
import type { Instructions, ModelMessage, ToolSet } from 'ai';
import type { SpoqError } from '../../contract/errors.ts';
import type { Budget, Call, Reservation } from '../budget/budget.ts';
import { boundInput } from '../budget/input-bound.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Reachability } from '../reachability.ts';
import { callOnce } from './call-once.ts';
import type { Model } from './create-model.ts';
import { describeFailure } from './failures.ts';
import type { ModelFailure } from './failures.ts';
import type { Choice } from './models.ts';

export interface RetryPolicy {
  /** How often a call is repeated that failed before its first word. */
  retries: number;
  /** The first wait when the provider names none; doubles. */
  backoffMs: number;
  /** All waits of one question together. Who waits at a terminal rather hears why. */
  waitBudgetMs: number;
}

const RETRY_POLICY: RetryPolicy = { retries: 2, backoffMs: 500, waitBudgetMs: 8_000 };

export interface CallDeps {
  budget: Budget;
  /** Told how the key did that was used. */
  keys: Pick<KeyRing, 'heard'>;
  reachability: Reachability;
  policy?: RetryPolicy | undefined;
}

/** One call of a model: what it is asked, and who pays. */
export interface ModelCall {
  /** Whom to ask, first to last: see `Models.choose`. */
  models: Choice;
  /** Its budget pays, with those of the day and the month. */
  conversation: string;
  instructions: Instructions;
  messages: ModelMessage[];
  /** Offered to the model, never run here: tools without `execute`. */
  tools?: ToolSet;
  /** The answer is to be JSON of this schema. */
  schema?: JsonSchema | undefined;
  /** Set aside already, for the first call of the first model. */
  reserved?: (() => Reservation) | undefined;
  signal: AbortSignal;
  /** Told of each amount of micro-dollars as soon as it is charged, also where the call fails. */
  onCost: (micros: number) => void;
}

/** A JSON schema of an object. */
export type JsonSchema = Record<string, unknown>;

export type ModelEvent =
  | { type: 'text'; text: string }
  /** `invalid`: what is wrong with the input, in words for the model. */
  | { type: 'tool_call'; call: string; tool: string; input: unknown; invalid?: string }
  /** Another model is asked from here on. */
  | { type: 'notice'; code: 'model_fallback'; message: string }
  | {
      type: 'done';
      stop_reason: string;
      /** The one that answered. */
      model: Model;
      input_tokens: number | null;
      output_tokens: number | null;
      /** What the model has said, as the next call wants to be told it: text, reasoning, tool calls. */
      messages: ModelMessage[];
    };

/**
 * Every call of a model goes through here: money is set aside before it begins, and settled when it has ended. Yields what the model says as it
 * comes, then `done`. While nothing has been said, a call that failed is repeated, and where the model is overloaded or can't be reached the
 * next one is asked.
 *
 * Throws `budget_exceeded`, a SpoqError with a `model_*` code, `storage_failed`, or the reason of `signal`, which also ends the call of the
 * provider at once. Leaving the loop early ends it too; what was set aside is charged then.
 */
export async function* callModel(deps: CallDeps, call: ModelCall): AsyncGenerator<ModelEvent> {
  const inputTokens = await boundInput(call);
  if (call.signal.aborted) {
    await call.reserved?.().release();
    throw call.signal.reason;
  }
  for (const [index, model] of call.models.entries()) {
    const other = call.models[index + 1];
    try {
      yield* callPatiently(deps, call, model, inputTokens);
      return;
    } catch (error) {
      if (!(error instanceof Silent)) throw error;
      if (other === undefined || !error.failure.elsewhere) throw error.failure.error;
      const message = `${model.id} ${describeAbsence(error.failure.error)}; ${other.id} is asked instead.`;
      yield { type: 'notice', code: 'model_fallback', message };
    }
  }
}

/** A call that failed before its first word. */
class Silent extends Error {
  readonly failure: ModelFailure;
  constructor(failure: ModelFailure) {
    super(failure.error.message, { cause: failure.error });
    this.failure = failure;
  }
}

function describeAbsence({ code }: SpoqError): string {
  if (code === 'model_overloaded') return 'is overloaded';
  return code === 'model_rate_limited' ? 'is at its rate limit' : 'could not be reached';
}

async function* callPatiently(
  { budget, keys, reachability, policy = RETRY_POLICY }: CallDeps,
  call: ModelCall,
  model: Model,
  inputTokens: number,
): AsyncGenerator<ModelEvent> {
  const { signal } = call;
  let waitedMs = 0;
  for (let attempt = 0; ; attempt += 1) {
    const isFirst = attempt === 0 && model === call.models[0];
    if (!isFirst && signal.aborted) throw signal.reason;
    const reservation =
      (isFirst ? call.reserved?.() : undefined) ?? (await budget.reserve(priceOf(call, model, inputTokens)));
    let spoke = false;
    try {
      for await (const event of callPaid(call, model, reservation)) {
        if (!spoke) {
          reachability.worked('model');
          keys.heard(model.provider, model.apiKey, true);
        }
        spoke = true;
        yield event;
      }
      return;
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      const failure = describeFailure(thrown, model);
      const { error, retryable, unreached = false } = failure;
      if (failure.keyRefused === true) keys.heard(model.provider, model.apiKey, false);
      if (unreached) reachability.failed('model', error.message);
      if (spoke) throw error;
      const named = error.retryAfterSeconds;
      const waitMs = named === undefined ? policy.backoffMs * 2 ** attempt : named * 1000;
      const affordable = attempt < policy.retries && waitedMs + waitMs <= policy.waitBudgetMs;
      if (!retryable || !affordable) throw new Silent(failure);
      waitedMs += waitMs;
      await wait(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** What a call of a model may cost at most. */
export function priceOf(
  { conversation }: Pick<ModelCall, 'conversation'>,
  model: Model,
  inputTokensAtMost: number,
): Call {
  const { provider, id, price, maxOutputTokens } = model;
  return { provider, model: id, price, conversation, inputTokensAtMost, outputTokensAtMost: maxOutputTokens };
}

/** One call, and exactly one end of its reservation. */
async function* callPaid(call: ModelCall, model: Model, reservation: Reservation): AsyncGenerator<ModelEvent> {
  let open = true;
  const keep = async (): Promise<void> => {
    open = false;
    call.onCost((await reservation.keep()).cost_micros);
  };
  try {
    for await (const event of callOnce(call, model, reservation.outputTokens)) {
      if (event.type === 'usage') {
        open = false;
        call.onCost((await reservation.settle(event.usage)).cost_micros);
      } else {
        yield event;
      }
    }
  } catch (error) {
    if (open) {
      if (call.signal.aborted || describeFailure(error, model).charged) await keep();
      else {
        open = false;
        await reservation.release();
      }
    }
    throw error;
  } finally {
    if (open) await keep();
  }
}
