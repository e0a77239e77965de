import type { z } from 'zod';
import type { Workplace } from '../../workplace/workplace.ts';
import type { Action } from '../rules/decide.ts';

/** What a call of a tool brings. `text` is for the model, `summary` is one line for a person. */
export interface ToolOutcome {
  outcome: 'ok' | 'failed';
  text: string;
  summary: string;
  exit_code?: number;
}

/** What a tool works with. */
export interface ToolContext {
  place: Workplace;
  call: string;
  /** Fires when the person interrupts the run, or it may not go on. */
  signal: AbortSignal;
  /** Tells what a program writes while it writes. Settles when it may write more. */
  tell(stream: 'stdout' | 'stderr', text: string): Promise<void>;
  /** What a call before has written. */
  recallOutput(call: string): string | undefined;
  /** Decides by rule about something that came up in the middle; asks the person where the rules say so. */
  permit(action: Action, title: string): Promise<boolean>;
}

/** Something that the model can call. */
export interface RunTool<Input = unknown> {
  name: string;
  description: string;
  input: z.ZodType<Input>;
  /** Where it differs from what `input` says: the schema that a server gave. */
  jsonSchema?: object;
  /** What the rules are asked about; nothing where it can't matter. */
  action(input: Input): Action | undefined;
  /** What it does, in one line for a person. */
  title(input: Input): string;
  run(input: Input, context: ToolContext): Promise<ToolOutcome>;
}

/** A tool whose input has been looked at. */
export interface PreparedCall {
  action: Action | undefined;
  title: string;
  run(context: ToolContext): Promise<ToolOutcome>;
}

/** Throws the ZodError of an input that isn't one. */
export function prepareCall<T>(tool: RunTool<T>, input: unknown): PreparedCall {
  const parsed = tool.input.parse(input);
  return { action: tool.action(parsed), title: tool.title(parsed), run: (context) => tool.run(parsed, context) };
}

/** Keeps the types of one tool together; the list of them forgets the input's. */
export function defineTool<T>(tool: RunTool<T>): RunTool {
  return tool as RunTool;
}

export const ok = (text: string, summary: string): ToolOutcome => ({ outcome: 'ok', text, summary });

/** What one result may have; more is left out in the middle. About 8,000 tokens. */
const MAX_TEXT = 30_000;
const HEAD = 10_000;

/** The beginning and the end. `how`: how the model can see the rest. */
export function boundText(text: string, how: string): string {
  if (text.length <= MAX_TEXT) return text;
  const tail = MAX_TEXT - HEAD;
  const left = text.length - MAX_TEXT;
  return `${text.slice(0, HEAD)}\n[${left} characters are left out here. ${how}]\n${text.slice(-tail)}`;
}
