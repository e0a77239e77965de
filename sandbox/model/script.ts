import { z } from 'zod';
import { countTurns, findLastResult } from './conversation.ts';
import type { ModelInput, ModelMessage } from './conversation.ts';

/** Names as both vendors allow them. */
const ToolName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'is not the name of a tool');

const Step = z
  .strictObject({
    expect: z.string().min(1).optional().describe('The last tool result must contain it, or the script stops'),
    text: z.string().min(1).max(1_000_000).optional(),
    calls: z.array(z.strictObject({ name: ToolName, input: z.record(z.string(), z.json()).default({}) })).default([]),
  })
  .refine(({ text, calls }) => text !== undefined || calls.length > 0, 'has neither text nor calls');

/** What the model does in a conversation whose first user message contains `match`: one step to an answer. */
export const Script = z.strictObject({ match: z.string().min(1), steps: z.array(Step).min(1).max(500) });
export type Script = z.infer<typeof Script>;

/** What the model says and calls in one answer. */
export interface Answer {
  text: string;
  calls: { name: string; input: Record<string, unknown> }[];
}

/** Stands for the text of the last tool result, anywhere in a call's input or in a step's text. */
const LAST_RESULT = '{{last_result}}';
/** How an answer begins with which a script has ended early: it is recognised by it when the conversation goes on. */
const STOPPED = 'The script stops here: ';
const QUOTED_CHARACTERS = 300;

/** The script that a conversation plays; the one that was given last when several match. */
export function findScript(scripts: readonly Script[], messages: readonly ModelMessage[]): Script | undefined {
  const first = messages.find(({ role, text }) => role === 'user' && text !== '')?.text ?? '';
  return scripts.findLast(({ match }) => first.includes(match));
}

/**
 * The step of `script` that is due. Which one that is, the conversation alone tells: as many answers as it holds have been
 * played, so a repeated or resumed call plays the same step. Where a step can't be played, the model says why.
 */
export function playStep(script: Script, input: ModelInput): Answer {
  const stopped = input.messages.find(({ role, text }) => role === 'assistant' && text.includes(STOPPED));
  if (stopped !== undefined) return say(stopped.text);
  const position = countTurns(input.messages);
  const step = script.steps[position];
  if (step === undefined) {
    return say(`All steps of the script for "${script.match}" have been played: there were ${script.steps.length}.`);
  }
  const last = findLastResult(input.messages);
  const fault = findFault(step, input, last);
  if (fault !== undefined) {
    return say(`${STOPPED}${fault} This was step ${position + 1} of ${script.steps.length} for "${script.match}".`);
  }
  return {
    text: fillText(step.text ?? '', last),
    calls: step.calls.map(({ name, input: given }) => ({ name, input: fill(given, last) as Record<string, unknown> })),
  };
}

function findFault(step: z.infer<typeof Step>, input: ModelInput, last: string | undefined): string | undefined {
  if (step.expect !== undefined && last?.includes(step.expect) !== true) {
    const got = last === undefined ? 'there was none' : `it was "${shorten(last)}"`;
    return `I expected the last tool result to contain "${step.expect}", but ${got}.`;
  }
  if (last === undefined && JSON.stringify(step).includes(LAST_RESULT)) {
    return `the step needs the last tool result, and there is none.`;
  }
  const offered = input.tools.map(({ name }) => name);
  const missing = step.calls.find(({ name }) => !offered.includes(name));
  if (missing !== undefined) {
    return `I was to call the tool "${missing.name}", which was not offered. Offered: ${offered.join(', ') || 'none'}.`;
  }
  if (step.calls.length > 0 && input.choice.type === 'none') return 'I was to call a tool, and was told to call none.';
  if (step.calls.length > 1 && !input.parallel) {
    return `I was to make ${step.calls.length} calls at once, and was told to make one at a time.`;
  }
  return undefined;
}

function say(text: string): Answer {
  return { text, calls: [] };
}

function fill(value: unknown, last: string | undefined): unknown {
  if (typeof value === 'string') return fillText(value, last);
  if (Array.isArray(value)) return value.map((one) => fill(one, last));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, last)]));
}

function fillText(text: string, last: string | undefined): string {
  return text.replaceAll(LAST_RESULT, () => last ?? '');
}

function shorten(text: string): string {
  return text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text;
}
