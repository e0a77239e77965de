import { z } from 'zod';
import type { OfferedTool, ToolChoice } from '../model/conversation.ts';
import type { Schema } from '../model/generate.ts';
import { checkRoot, checkStrict } from './check-schema.ts';
import { OpenAIError } from './errors.ts';
import { FunctionTool, JsonFormat, parseAt, refuseValue } from './request.ts';
import type { CreateCompletion, CreateResponse } from './request.ts';

/** A function with the place where it stands in the request. */
interface Placed {
  tool: FunctionTool;
  place: string;
}

/** The functions of a request to /v1/responses. Throws OpenAIError, 400. */
export function readResponseTools({ tools }: CreateResponse): FunctionTool[] {
  return checkTools(
    (tools ?? []).flatMap((tool, index) => {
      const place = `tools[${index}]`;
      return tool.type === 'function' ? [{ tool: parseAt(FunctionTool, tool, place), place }] : [];
    }),
  );
}

/** The functions of a request to /v1/chat/completions. Throws OpenAIError, 400. */
export function readCompletionTools({ tools }: CreateCompletion): FunctionTool[] {
  return checkTools(
    (tools ?? []).flatMap((tool, index) => {
      const place = `tools[${index}].function`;
      return tool.type === 'function' ? [{ tool: parseAt(FunctionTool, tool.function, place), place }] : [];
    }),
  );
}

/** What the sandbox model is offered. A function without parameters takes none. */
export function toOffered(tools: readonly FunctionTool[]): OfferedTool[] {
  return tools.map(({ name, parameters }) => ({ name, schema: parameters ?? { type: 'object', properties: {} } }));
}

/** The choice of either API; `name` is the function's that must be called. Throws OpenAIError, 400. */
export function readToolChoice(
  choice: string | { type: string } | null | undefined,
  name: string | undefined,
  tools: readonly FunctionTool[],
): ToolChoice {
  if (choice === null || choice === undefined || choice === 'auto' || choice === 'none') {
    return { type: choice === 'none' ? 'none' : 'auto' };
  }
  const param = 'tool_choice';
  if (tools.length === 0) {
    const message = `Tool choice '${typeof choice === 'string' ? choice : choice.type}' must be specified with 'tools' parameter.`;
    throw new OpenAIError(400, { message, param });
  }
  if (typeof choice === 'string') return { type: 'required' };
  if (choice.type !== 'function') {
    throw refuseValue('tool_choice.type', `the sandbox knows 'function', not '${choice.type}'`);
  }
  if (name === undefined) {
    throw new OpenAIError(400, {
      message: "Missing required parameter: 'tool_choice.name'.",
      param: 'tool_choice.name',
      code: 'missing_required_parameter',
    });
  }
  if (!tools.some((tool) => tool.name === name)) {
    throw new OpenAIError(400, { message: `Tool choice '${name}' not found in 'tools' parameter.`, param });
  }
  return { type: 'tool', name };
}

const Format = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  JsonFormat.extend({ type: z.literal('json_schema') }),
]);

/**
 * The schema that an answer must follow; null for plain text. `place` is the format's in the request, `said` all that the
 * messages say: plain JSON must be asked for in words. Throws OpenAIError, 400.
 */
export function readFormat(format: unknown, place: string, said: string): Schema | null {
  if (format === null || format === undefined) return null;
  const parsed = parseAt(Format, format, place);
  if (parsed.type === 'text') return null;
  if (parsed.type === 'json_object') {
    if (!/json/i.test(said)) {
      const message = `Response input messages must contain the word 'json' in some form to use '${place}' of type 'json_object'.`;
      throw new OpenAIError(400, { message, param: place.startsWith('text') ? 'input' : 'messages' });
    }
    return { type: 'object' };
  }
  const { name, schema, strict } = parsed;
  const at = { what: `response_format '${name}'`, param: `${place}.schema`, code: 'invalid_json_schema' } as const;
  if (strict === true) checkStrict(schema, at);
  else checkRoot(schema, at);
  return schema;
}

function checkTools(tools: Placed[]): FunctionTool[] {
  for (const { tool, place } of tools) {
    const { name, parameters, strict } = tool;
    if (parameters === null || parameters === undefined) continue;
    const at = {
      what: `function '${name}'`,
      param: `${place}.parameters`,
      code: 'invalid_function_parameters',
    } as const;
    if (strict === true) checkStrict(parameters, at);
    else checkRoot(parameters, at);
  }
  return tools.map(({ tool }) => tool);
}
