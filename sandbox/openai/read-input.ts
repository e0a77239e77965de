import { z } from 'zod';
import { createModelMessage } from '../model/conversation.ts';
import type { ModelMessage, SentImage } from '../model/conversation.ts';
import { OpenAIError } from './errors.ts';
import { readImageUrl } from './read-image.ts';
import { Content, parseAt, refuseValue } from './request.ts';
import type { CreateResponse, Item } from './request.ts';

const CallId = z.string().min(1).max(64);
const FunctionCall = z.looseObject({ call_id: CallId, name: z.string().min(1), arguments: z.string() });
const FunctionOutput = z.looseObject({ call_id: CallId, output: Content });
const Reference = z.looseObject({ id: z.string() });
const InputImage = z.looseObject({ image_url: z.string().nullish() });
const ROLES = ['user', 'assistant', 'system', 'developer'];

/** Finds an item of an earlier response that was stored; undefined when there is none. */
export type FindItem = (id: string) => Item | undefined;

/** The conversation of a request to /v1/responses. Throws OpenAIError: 400, or 404 for an item that isn't stored. */
export function readInput(
  { input, instructions }: CreateResponse,
  findItem: FindItem,
): { system: string; messages: ModelMessage[] } {
  const items = (typeof input === 'string' ? [{ role: 'user', content: input } as Item] : input).map((item, index) =>
    resolveItem(item, `input[${index}]`, findItem),
  );
  const read = items.map((item, index) => readItem(item, `input[${index}]`));
  checkCalls(read.map(({ message }) => message));
  const told = [instructions ?? '', ...read.flatMap(({ system }) => system ?? [])];
  return {
    system: told.filter((text) => text !== '').join('\n'),
    messages: read.flatMap(({ message }) => message ?? []),
  };
}

function resolveItem(item: Item, place: string, findItem: FindItem): Item {
  if (item.type !== 'item_reference') return item;
  const { id } = parseAt(Reference, item, place);
  const found = findItem(id);
  if (found !== undefined) return found;
  throw new OpenAIError(404, {
    message:
      `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. ` +
      'Try again with `store` set to true, or remove this item from your input.',
    param: 'input',
  });
}

/** An item is a message, or tells the model how it is to behave. */
function readItem(item: Item, place: string): { message?: ModelMessage; system?: string } {
  switch (item.type ?? 'message') {
    case 'message':
      return readMessage(item, place);
    case 'function_call': {
      const { call_id, name, arguments: json } = parseAt(FunctionCall, item, place);
      return { message: createModelMessage('assistant', { calls: [{ id: call_id, name, input: parseJson(json) }] }) };
    }
    case 'function_call_output': {
      const { call_id, output } = parseAt(FunctionOutput, item, place);
      const { text, images, passed_over } = readContent(output, `${place}.output`);
      const results = [{ call_id, text, is_error: false }];
      return { message: createModelMessage('user', { results, images, passed_over }) };
    }
    default:
      return { message: passOver(item.type ?? 'item') };
  }
}

/** Reasoning and the calls of other kinds of tools belong to an answer; what they gave, to the question that follows. */
function passOver(type: string): ModelMessage {
  return createModelMessage(type.endsWith('_output') ? 'user' : 'assistant', { passed_over: [type] });
}

function readMessage({ role, content }: Item, place: string): { message?: ModelMessage; system?: string } {
  if (role === undefined || content === undefined || content === null) {
    const param = `${place}.${role === undefined ? 'role' : 'content'}`;
    const message = `Missing required parameter: '${param}'.`;
    throw new OpenAIError(400, { message, param, code: 'missing_required_parameter' });
  }
  if (!ROLES.includes(role)) throw refuseValue(`${place}.role`, `'${role}' is none of ${ROLES.join(', ')}`);
  const read = readContent(content, `${place}.content`);
  if (role === 'user' || role === 'assistant') return { message: createModelMessage(role, read) };
  return { system: read.text };
}

/** Text, images and the kinds that can't be read, of either API. Throws OpenAIError, 400. */
export function readContent(
  content: Content,
  place: string,
): { text: string; images: SentImage[]; passed_over: string[] } {
  if (typeof content === 'string') return { text: content, images: [], passed_over: [] };
  const images: SentImage[] = [];
  const passed_over: string[] = [];
  const texts = content.flatMap((part, index) => {
    if (part.text !== undefined) return [part.text];
    const at = `${place}[${index}].image_url`;
    const url = part.type === 'input_image' ? parseAt(InputImage, part, `${place}[${index}]`).image_url : undefined;
    if (typeof url === 'string') images.push(readImageUrl(url, at));
    else if (part.type === 'image_url') images.push(readImageUrl(readChatUrl(part), `${at}.url`));
    else passed_over.push(part.type);
    return [];
  });
  return { text: texts.join('\n'), images, passed_over };
}

function readChatUrl(part: Record<string, unknown>): string {
  return parseAt(z.looseObject({ image_url: z.looseObject({ url: z.string() }) }), part, 'content').image_url.url;
}

/** Every call needs its output after it, and every output its call before it. */
function checkCalls(messages: readonly (ModelMessage | undefined)[]): void {
  const open = new Set<string>();
  for (const { calls, results } of messages.flatMap((message) => message ?? [])) {
    for (const { id } of calls) open.add(id);
    for (const { call_id } of results) {
      if (open.delete(call_id)) continue;
      const message = `No tool call found for function call output with call_id ${call_id}.`;
      throw new OpenAIError(400, { message, param: 'input' });
    }
  }
  const [unanswered] = open;
  if (unanswered === undefined) return;
  throw new OpenAIError(400, { message: `No tool output found for function call ${unanswered}.`, param: 'input' });
}

/** What a caller sends back as arguments is the caller's: shown as it is where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
