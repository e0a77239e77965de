import { composeAnswer, describeImages } from './answer.ts';
import type { ModelInput, OfferedTool } from './conversation.ts';
import { findLatest } from './conversation.ts';
import { generateValue } from './generate.ts';
import type { Schema } from './generate.ts';
import { readPrompt } from './prompt.ts';
import { findScript, playStep } from './script.ts';
import type { Answer, Script } from './script.ts';

/** What a shell-like tool is called with, by a model that was given no script: it changes nothing. */
const HARMLESS_COMMAND = 'ls';
const SHELL_NAME = /^(?:bash|shell|sh|exec|terminal|(?:run_|execute_)?(?:command|shell|bash))$/i;
const ASKED_TO_RUN = /\b(?:run|execute|test|tests|try)\b/i;
const JSON_TOOL = 'json';
const REPORTED_CHARACTERS = 2000;

/**
 * What the sandbox model answers: the step of a script if the conversation plays one; otherwise a shell-like tool once, when
 * it is asked to run something; otherwise what is certainly true of the input. JSON where a schema was given, a call where
 * one was demanded. The same input gives the same answer. Throws UnsatisfiableSchema.
 */
export function decideAnswer(
  input: ModelInput,
  options: { scripts: readonly Script[]; vendor: { name: string; keyVariable: string } },
): Answer {
  const script = findScript(options.scripts, input.messages);
  const answer = script === undefined ? improvise(input, options.vendor) : playStep(script, input);
  return keepPromises(input, answer);
}

function improvise(input: ModelInput, vendor: { name: string; keyVariable: string }): Answer {
  const latest = findLatest(input.messages);
  const results = latest.flatMap((message) => message.results);
  if (results.length > 0) {
    const told = results.map(({ text, is_error }) => `${is_error ? 'It failed' : 'It answered'}:\n\n${indent(text)}`);
    const report = [...told, ...describeImages(latest.flatMap((message) => message.images))].join('\n\n');
    return { text: `I called a tool, as a script does: without understanding. ${report}`, calls: [] };
  }
  const shell = input.tools.find(isShell);
  if (shell !== undefined && input.choice.type !== 'none' && isAskedToRun(input)) {
    const text = `I am Spoq's sandbox model, a script: asked to run something, I only list the files.`;
    return { text, calls: [callShell(shell)] };
  }
  return { text: composeAnswer(input, vendor), calls: [] };
}

/**
 * What vendors guarantee whatever the model would like: a call where one is demanded, else JSON where a schema is given. SDKs
 * that can't send a schema ask for JSON by way of a tool named `json`, which real models then call at the end.
 */
function keepPromises(input: ModelInput, answer: Answer): Answer {
  const { choice, tools, schema } = input;
  const isMeant = (name: string): boolean => choice.type !== 'tool' || choice.name === name;
  const isDemanded = choice.type === 'required' || choice.type === 'tool';
  if (answer.calls.length > 0 && (!isDemanded || answer.calls.every(({ name }) => isMeant(name)))) return answer;
  const json = choice.type === 'none' ? undefined : tools.find(({ name }) => name === JSON_TOOL && isMeant(name));
  if (json !== undefined) {
    const said = parseObject(answer.text);
    return { text: '', calls: [{ name: JSON_TOOL, input: said ?? generateInput(json.schema) }] };
  }
  const demanded = isDemanded ? tools.find(({ name }) => isMeant(name)) : undefined;
  if (demanded !== undefined) {
    return { text: '', calls: [{ name: demanded.name, input: generateInput(demanded.schema) }] };
  }
  if (schema === null || parseObject(answer.text) !== undefined) return answer;
  return { text: JSON.stringify(generateValue(schema)), calls: [] };
}

function isAskedToRun({ messages }: ModelInput): boolean {
  const texts = findLatest(messages).map(({ text }) => readPrompt(text).question);
  return texts.some((text) => ASKED_TO_RUN.test(text));
}

/** True for a tool with a shell's name whose input has a `command` or `cmd`. */
function isShell({ name, schema }: OfferedTool): boolean {
  return SHELL_NAME.test(name) && commandOf(schema) !== undefined;
}

function callShell({ name, schema }: OfferedTool): Answer['calls'][number] {
  const command = commandOf(schema);
  if (command === undefined) return { name, input: {} };
  const rest = generateInput({ ...schema, properties: requiredOnly(schema) });
  return { name, input: { ...rest, [command.key]: command.isList ? [HARMLESS_COMMAND] : HARMLESS_COMMAND } };
}

function commandOf(schema: Schema): { key: string; isList: boolean } | undefined {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema | undefined>;
  const key = ['command', 'cmd'].find((one) => ['string', 'array'].includes(String(properties[one]?.['type'])));
  return key === undefined ? undefined : { key, isList: properties[key]?.['type'] === 'array' };
}

function requiredOnly(schema: Schema): Schema {
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [];
  return Object.fromEntries(
    Object.entries((schema['properties'] ?? {}) as Schema).filter(([name]) => required.includes(name)),
  );
}

function generateInput(schema: Schema): Record<string, unknown> {
  return generateValue({ type: 'object', ...schema }) as Record<string, unknown>;
}

/** The object or list that a text is as JSON; undefined for any other text. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function indent(text: string): string {
  const shown = text.length > REPORTED_CHARACTERS ? `${text.slice(0, REPORTED_CHARACTERS)}…` : text;
  return shown
    .split('\n')
    .map((line) => `    ${line}`.trimEnd())
    .join('\n');
}
