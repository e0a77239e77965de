import type { Schema } from './generate.ts';
import type { ReadImage } from './image.ts';

/** A call of a tool, as the model made it. */
export interface ToolCall {
  id: string;
  name: string;
  input: unknown;
}

/** What a tool answered. */
export interface ToolResult {
  call_id: string;
  text: string;
  is_error: boolean;
}

/** An image that was sent: read, or an address that the sandbox does not fetch. */
export type SentImage = ReadImage | { url: string };

/** One message of a conversation, the same for every vendor. A user's message may be results alone. */
export interface ModelMessage {
  role: 'user' | 'assistant';
  text: string;
  calls: ToolCall[];
  results: ToolResult[];
  images: SentImage[];
  /** Kinds of content that the sandbox model can't read: `document`, `thinking`… */
  passed_over: string[];
}

export interface OfferedTool {
  name: string;
  schema: Schema;
}

/** Whether tools may, must or must not be called. */
export type ToolChoice = { type: 'auto' | 'none' | 'required' } | { type: 'tool'; name: string };

/** All that a model is told in one call. */
export interface ModelInput {
  system: string;
  messages: ModelMessage[];
  tools: OfferedTool[];
  choice: ToolChoice;
  /** False: at most one call to an answer. */
  parallel: boolean;
  /** The answer's text must be JSON valid against this. */
  schema: Schema | null;
}

/** A message of nothing but `text`, or what else is given. */
export function createModelMessage(role: ModelMessage['role'], fields: Partial<ModelMessage> = {}): ModelMessage {
  return { role, text: '', calls: [], results: [], images: [], passed_over: [], ...fields };
}

/** An input of these messages without tools. */
export function createModelInput(messages: ModelMessage[], fields: Partial<ModelInput> = {}): ModelInput {
  return { system: '', messages, tools: [], choice: { type: 'auto' }, parallel: true, schema: null, ...fields };
}

/** How often the model has answered in this conversation. Vendors may send one answer as several messages in a row. */
export function countTurns(messages: readonly ModelMessage[]): number {
  return messages.filter(({ role }, index) => role === 'assistant' && messages[index - 1]?.role !== 'assistant').length;
}

/** The messages since the model last answered: what it is to answer now. */
export function findLatest(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  return messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
}

/** The text of the latest tool results, all of one answer's parallel calls in order; undefined when there are none. */
export function findLastResult(messages: readonly ModelMessage[]): string | undefined {
  const results = findLatest(messages).flatMap((message) => message.results);
  return results.length === 0 ? undefined : results.map(({ text }) => text).join('\n');
}

/** About four characters to a token: the rule of thumb that vendors publish for English. */
export function countTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4));
}
