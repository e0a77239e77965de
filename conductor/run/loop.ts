import { jsonSchema, zodSchema } from 'ai';
import type { Instructions, ModelMessage, ToolSet } from 'ai';
import { SpoqError } from '../../contract/errors.ts';
import type { Store } from '../store/store.ts';
import { describeUnknown, executeCall } from './execute-call.ts';
import type { CallDeps } from './execute-call.ts';
import { findPending, markCached, toResult, wasBegun } from './history.ts';
import type { ModelCall } from './history.ts';
import { Parked } from './permissions.ts';
import type { RunTool } from './tools/tool.ts';

export type StepEnd = {
  stop_reason: string;
  input_tokens: number | null;
  output_tokens: number | null;
  messages: ModelMessage[];
};

export interface Step {
  conversation: string;
  /** By the name that the person gave; the box's own when undefined. */
  model: string | undefined;
  messages: ModelMessage[];
  instructions: Instructions;
  tools: ToolSet;
  signal: AbortSignal;
  /** Told its words as they come. */
  onText(text: string): void;
  /** Told what happens meanwhile. */
  onNotice(event: { type: 'notice'; code: string; message: string }): void;
  /** Told of micro-dollars as soon as they are charged. */
  onCost(micros: number): void;
}

/** One answer of a model. Throws a SpoqError, or the reason of the signal. */
export type CallModel = (step: Step) => Promise<StepEnd>;

export interface LoopDeps extends CallDeps {
  store: Store;
  recall(): ModelMessage[];
  callModel: CallModel;
  model: string | undefined;
  instructions: Instructions;
  limits: { steps: number; activeMs: number };
}

/** A call that fails the same way so often in a row won't work at the next try. */
const SAME_FAILURES = 3;

/**
 * Lets the model work until it ends: an answer, then what it asks for, one after the other, then the next answer. Every step is on the disk
 * before the next one begins, so that it goes on from there. Answers why it ended. Rejects with `Parked` or a SpoqError.
 */
export async function runLoop(deps: LoopDeps): Promise<string> {
  const { turn, signal } = deps;
  const tools = describeTools(deps.tools);
  const failures = { call: '', times: 0 };
  const resumed = new Set(
    findPending(deps.recall()).flatMap(({ id }) => (wasBegun(deps.store, turn.conversation, id) ? id : [])),
  );
  const started = performance.now();
  let stopReason = 'stop';
  for (let steps = 0; ;) {
    signal.throwIfAborted();
    const messages = deps.recall();
    const pending = findPending(messages);
    for (const call of pending) {
      if (turn.stopping.aborted) throw new Parked('parked');
      if (resumed.has(call.id)) {
        const { event, message } = describeUnknown(call);
        await turn.record({ events: [event], messages: [message] });
        continue;
      }
      const failed = await executeCall(deps, call);
      if (failed && countFailure(failures, call) >= SAME_FAILURES) {
        await stopRepeating(deps, call);
        return 'repeated_failure';
      }
      if (!failed) failures.times = 0;
    }
    if (pending.length === 0) {
      // An answer without calls was the last one.
      if (messages.at(-1)?.role === 'assistant') return stopReason;
      if (turn.stopping.aborted) throw new Parked('parked');
      if (steps >= deps.limits.steps) throw limitReached(`It has made ${steps} steps.`);
      // Who waits for a person does nothing meanwhile.
      const activeMs = performance.now() - started - deps.permissions.waitedMs();
      if (activeMs >= deps.limits.activeMs)
        throw limitReached(`It has worked for ${Math.round(activeMs / 60_000)} minutes.`);
      stopReason = await makeStep(deps, messages, tools);
      steps += 1;
    }
  }
}

async function makeStep(deps: LoopDeps, messages: ModelMessage[], tools: ToolSet): Promise<string> {
  const { turn, store } = deps;
  // What can't be written down isn't asked for any longer.
  const own = new AbortController();
  let said = '';
  const giveUp = (error: unknown): void => own.abort(error);
  try {
    const signal = AbortSignal.any([deps.signal, own.signal]);
    const end = await deps.callModel({
      conversation: turn.conversation,
      model: deps.model,
      messages: markCached(messages),
      instructions: deps.instructions,
      tools,
      signal,
      onText(text) {
        said += text;
        turn.say(text).catch(giveUp);
      },
      onNotice: (event) => void turn.emit(event).catch(giveUp),
      onCost: (micros) => addCost(store, turn, micros),
    });
    const answer = end.messages.filter(({ role }) => role === 'assistant');
    // A model that says nothing and asks for nothing is done.
    if (answer.length === 0) answer.push({ role: 'assistant', content: '[Nothing.]' });
    await turn.record({
      messages: answer,
      also: () => addTokens(store, turn.conversation, turn.number, end),
    });
    return end.stop_reason;
  } catch (error) {
    const failure = describeFullContext(error);
    const isRestart = failure instanceof SpoqError && failure.code === 'box_restarting';
    if (isRestart) {
      const message = 'The box restarts: the answer is begun anew when it is back.';
      await turn.emit({ type: 'notice', code: 'box_restarting', message });
      throw new Parked('parked');
    }
    if (said !== '') await turn.record({ messages: [{ role: 'assistant', content: said }] });
    throw failure;
  }
}

function addCost(store: Store, { conversation, number }: LoopDeps['turn'], micros: number): void {
  const sql = 'UPDATE turns SET cost_micros = coalesce(cost_micros, 0) + ? WHERE conversation = ? AND number = ?';
  store.run(sql, micros, conversation, number);
}

function addTokens(store: Store, conversation: string, turn: number, end: StepEnd): void {
  store.run(
    `UPDATE turns SET input_tokens = coalesce(input_tokens, 0) + ?, output_tokens = coalesce(output_tokens, 0) + ?
     WHERE conversation = ? AND number = ?`,
    end.input_tokens ?? 0,
    end.output_tokens ?? 0,
    conversation,
    turn,
  );
}

/** As Anthropic and OpenAI put it. */
const FULL = /prompt is too long|context[ _]length|context window|maximum context|exceeds? the context/i;

function describeFullContext(error: unknown): unknown {
  if (!(error instanceof SpoqError) || !error.code.startsWith('model_') || !FULL.test(error.detail ?? '')) return error;
  return new SpoqError('context_full', { detail: error.detail ?? '', cause: error });
}

function countFailure(failures: { call: string; times: number }, { tool, input }: ModelCall): number {
  const call = `${tool} ${JSON.stringify(input)}`;
  failures.times = failures.call === call ? failures.times + 1 : 1;
  failures.call = call;
  return failures.times;
}

async function stopRepeating({ turn, recall }: LoopDeps, { tool }: ModelCall): Promise<void> {
  const message = `The run was stopped: the same call of ${tool} failed ${SAME_FAILURES} times in a row. Say what it should do instead with \`spoq run -c\`.`;
  await turn.emit({ type: 'notice', code: 'repeated_failure', message });
  const skipped = findPending(recall()).map((call) =>
    toResult(call, 'It was not done: the run was stopped before.', true),
  );
  await turn.record({ messages: skipped });
}

function limitReached(detail: string): SpoqError {
  return new SpoqError('run_limit', { detail });
}

/** The tools as the model is told of them. What it sends is looked at when they are called. */
function describeTools(tools: RunTool[]): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, input, jsonSchema: given }) => {
      const schema = given ?? zodSchema(input).jsonSchema;
      return [name, { description, inputSchema: jsonSchema(schema as Parameters<typeof jsonSchema>[0]) }];
    }),
  );
}
