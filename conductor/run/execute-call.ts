import type { ModelMessage } from 'ai';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { ConversationEvent } from '../../contract/conversation.ts';
import type { Turn } from '../conversations/conversations.ts';
import { WorkError } from '../workplace/workplace.ts';
import type { Workplace } from '../workplace/workplace.ts';
import { toResult } from './history.ts';
import type { ModelCall } from './history.ts';
import type { Permissions } from './permissions.ts';
import { prepareCall } from './tools/tool.ts';
import type { PreparedCall, RunTool, ToolOutcome } from './tools/tool.ts';

export interface CallDeps {
  turn: Turn;
  tools: RunTool[];
  permissions: Permissions;
  signal: AbortSignal;
  /** Opens the place for as long as a call needs it. */
  usePlace<T>(work: (place: Workplace) => Promise<T>): Promise<T>;
  recallOutput(call: string): string | undefined;
}

type Outcome = Extract<ConversationEvent, { type: 'tool_result' }>['outcome'];

const UNKNOWN_END =
  'The end of this call is unknown: the box was ended in the middle of it. It may have been done, wholly or in part. Look before you do it again.';

/**
 * Does what the model has asked for, once: it is written down as begun before, and its result together with what the model is told. Answers
 * whether it failed. Rejects with `Parked`, the reason of the signal, or `workplace_lost`.
 */
export async function executeCall(deps: CallDeps, call: ModelCall): Promise<boolean> {
  const { turn, permissions, signal } = deps;
  const tool = deps.tools.find(({ name }) => name === call.tool);
  if (tool === undefined) {
    const names = deps.tools.map(({ name }) => name).join(', ');
    return refuse(deps, call, call.tool, 'failed', `There is no tool "${call.tool}". There are: ${names}.`);
  }
  let prepared: PreparedCall;
  try {
    prepared = prepareCall(tool, call.input);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const faults = error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
    return refuse(deps, call, call.tool, 'failed', `The input is not valid. ${faults.join('; ')}`);
  }
  const { action, title } = prepared;
  const permission = await permissions.request(action, { call: call.id, tool: call.tool, title });
  if (!permission.allowed) {
    const advice = 'It was not done. Do not look for a way around it: go on without it, or say what you need.';
    return refuse(deps, call, title, 'denied', `${permission.why} ${advice}`, permission.summary);
  }
  signal.throwIfAborted();
  await turn.emit(describeCall(call, title));
  const result = await run(deps, call, prepared);
  await settle(deps, call, result);
  if (result.outcome === 'interrupted') throw signal.reason;
  return result.outcome === 'failed';
}

/** A call of which nobody knows how it ended: told to the person and to the model, and not done again. */
export function describeUnknown(call: ModelCall): { event: ConversationEvent; message: ModelMessage } {
  const summary = 'may have been done, wholly or in part: the box was ended in the middle of it';
  return {
    event: { type: 'tool_result', call: call.id, outcome: 'interrupted', summary },
    message: toResult(call, UNKNOWN_END, true),
  };
}

type Result = Omit<ToolOutcome, 'outcome'> & { outcome: Outcome };

async function run(deps: CallDeps, call: ModelCall, prepared: PreparedCall): Promise<Result> {
  const { turn, signal } = deps;
  try {
    const outcome = await deps.usePlace((place) =>
      prepared.run({
        place,
        call: call.id,
        signal,
        tell: (stream, text) => turn.emit({ type: 'tool_output', call: call.id, stream, text }),
        recallOutput: deps.recallOutput,
        async permit(action, title) {
          const question = { call: `${call.id}:${title}`, tool: call.tool, title };
          return (await deps.permissions.request(action, question)).allowed;
        },
      }),
    );
    if (!signal.aborted) return outcome;
  } catch (error) {
    if (!signal.aborted) return describeError(error);
  }
  const text = 'It was interrupted: it may have been done, wholly or in part. Look before you do it again.';
  return { outcome: 'interrupted', text, summary: 'interrupted: may have been done, wholly or in part' };
}

/** In words that the model can act on. What isn't expected is thrown. */
function describeError(error: unknown): Result {
  if (error instanceof WorkError)
    return { outcome: 'failed', text: error.message, summary: error.message.slice(0, 200) };
  if (error instanceof SpoqError && error.code === 'workplace_lost') {
    const text = `${error.detail ?? error.title} What it did before is kept; it may have been done in part. The place is opened again for the next call.`;
    return { outcome: 'failed', text, summary: error.detail ?? error.title };
  }
  throw error;
}

function describeCall(call: ModelCall, title: string): ConversationEvent {
  return { type: 'tool_call', call: call.id, tool: call.tool, title, input: call.input };
}

async function refuse(
  deps: CallDeps,
  call: ModelCall,
  title: string,
  outcome: 'failed' | 'denied',
  text: string,
  summary = text,
): Promise<boolean> {
  await settle(deps, call, { outcome, text, summary: summary.slice(0, 200) }, [describeCall(call, title)]);
  return true;
}

/** The result, and what the model is told of it, at once: after a crash both are there, or neither. */
function settle(
  { turn }: Pick<CallDeps, 'turn'>,
  call: ModelCall,
  { outcome, text, summary, exit_code }: Result,
  before: ConversationEvent[] = [],
): Promise<void> {
  const result: ConversationEvent = {
    type: 'tool_result',
    call: call.id,
    outcome,
    summary,
    ...(exit_code === undefined ? {} : { exit_code }),
  };
  return turn.record({ events: [...before, result], messages: [toResult(call, text, outcome !== 'ok')] });
}
