import { z } from 'zod';
import { createModelInput } from '../model/conversation.ts';
import type { ModelInput } from '../model/conversation.ts';
import type { Schema } from '../model/generate.ts';
import { checkOutputSchema } from './check-schema.ts';
import { checkToolPairs } from './check-tool-pairs.ts';
import { describeFault } from './describe-fault.ts';
import { AnthropicError } from './errors.ts';
import { isKnownModel, refusesForcedTools, refusesPrefill } from './models.ts';
import { readMessage, readSystem } from './read-messages.ts';

const TextBlock = z.looseObject({ type: z.literal('text'), text: z.string() });
const Content = z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]);
/** Tools with a type of their own are the vendor's: accepted, and not offered to the sandbox model. */
const VendorTool = z.looseObject({ type: z.string().regex(/_\d{8}$/), name: z.string() });
const CustomTool = z.looseObject({
  type: z.literal('custom').nullish(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
  description: z.string().optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
});
const isVendorTool = (tool: unknown): boolean => VendorTool.safeParse(tool).success;
const parallel = { disable_parallel_tool_use: z.boolean().optional() };

const CreateMessage = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.number().int().min(1),
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant', 'system']), content: Content })).min(1),
  system: z.union([z.string(), z.array(TextBlock)]).optional(),
  stream: z.boolean().optional(),
  stop_sequences: z.array(z.string()).optional(),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
  tool_choice: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('auto'), ...parallel }),
      z.strictObject({ type: z.literal('any'), ...parallel }),
      z.strictObject({ type: z.literal('tool'), name: z.string(), ...parallel }),
      z.strictObject({ type: z.literal('none') }),
    ])
    .optional(),
  thinking: z.looseObject({ type: z.enum(['enabled', 'disabled', 'adaptive']) }).optional(),
  output_config: z
    .looseObject({
      format: z.looseObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) }).nullish(),
    })
    .optional(),
});
export type CreateMessage = z.infer<typeof CreateMessage>;

/** A request, and what it tells the model. */
export interface MessageRequest {
  request: CreateMessage;
  input: ModelInput;
}

/** Reads the body of POST /v1/messages. Throws AnthropicError: 400 for the first fault, 404 for an unknown model. */
export function parseMessageRequest(state: { body: unknown; bodyFault?: string }): MessageRequest {
  if (state.bodyFault !== undefined || state.body === undefined) {
    throw refuse('The request body is not valid JSON.');
  }
  const parsed = CreateMessage.safeParse(state.body);
  if (!parsed.success) throw refuse(describeFault(parsed.error, state.body));
  const request = parsed.data;
  if (!isKnownModel(request.model)) throw new AnthropicError('not_found_error', `model: ${request.model}`);
  const tools = readTools(request.tools ?? []);
  checkToolChoice(request);
  const { messages } = request;
  const read = messages.map((message, index) => readMessage(message, `messages.${index}`));
  checkToolPairs(messages);
  if (messages.at(-1)?.role === 'assistant' && refusesPrefill(request.model)) {
    throw refuse(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  }
  const schema = request.output_config?.format?.schema ?? null;
  if (schema !== null) checkOutputSchema(schema);
  const isSystem = (index: number): boolean => messages[index]?.role === 'system';
  const told = [readSystem(request.system), ...read.flatMap(({ text }, index) => (isSystem(index) ? [text] : []))];
  const input = createModelInput(
    read.filter((_one, index) => !isSystem(index)),
    {
      system: told.filter((text) => text !== '').join('\n'),
      tools,
      choice: readToolChoice(request.tool_choice),
      parallel:
        request.tool_choice === undefined ||
        request.tool_choice.type === 'none' ||
        request.tool_choice.disable_parallel_tool_use !== true,
      schema,
    },
  );
  return { request, input };
}

function readTools(tools: unknown[]): ModelInput['tools'] {
  const custom = tools.flatMap((tool, index) => {
    if (isVendorTool(tool)) return [];
    const parsed = CustomTool.safeParse(tool);
    if (!parsed.success) throw refuse(describeFault(parsed.error, tool, ['tools', String(index), 'custom']));
    return [{ name: parsed.data.name, schema: parsed.data.input_schema as Schema }];
  });
  const names = tools.map((tool) => (tool as { name: string }).name);
  if (new Set(names).size < names.length) throw refuse('tools: Tool names must be unique.');
  return custom;
}

function readToolChoice(choice: CreateMessage['tool_choice']): ModelInput['choice'] {
  if (choice?.type === 'tool') return { type: 'tool', name: choice.name };
  return { type: choice?.type === 'any' ? 'required' : (choice?.type ?? 'auto') };
}

function checkToolChoice({ model, tools, tool_choice: choice, thinking }: CreateMessage): void {
  if (choice === undefined) return;
  if (tools === undefined || tools.length === 0) {
    throw refuse('tool_choice: tool_choice may only be specified while providing tools');
  }
  if (choice.type === 'tool' && !tools.some(({ name }) => name === choice.name)) {
    throw refuse(`tool_choice: Tool '${choice.name}' not found in provided tools`);
  }
  if (choice.type !== 'any' && choice.type !== 'tool') return;
  if (thinking?.type === 'enabled') throw refuse('Thinking may not be enabled when tool_choice forces tool use.');
  if (refusesForcedTools(model)) throw refuse(`tool_choice: forced tool use is not supported by ${model}`);
}

function refuse(message: string): AnthropicError {
  return new AnthropicError('invalid_request_error', message);
}
