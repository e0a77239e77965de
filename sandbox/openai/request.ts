import { z } from 'zod';
import { OpenAIError } from './errors.ts';

/** Parts that the sandbox model can't read (sound, files…) are accepted, and it says that it passed them over. */
const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
export const Content = z.union([z.string(), z.array(Part)]);
export type Content = z.infer<typeof Content>;

/** A message, or an item of another kind: which fields it must have is checked when it is read. */
const Item = z.looseObject({ type: z.string().optional(), role: z.string().optional(), content: Content.nullish() });
export type Item = z.infer<typeof Item>;

const schema = z.record(z.string(), z.unknown());
const name = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "string does not match the pattern '^[a-zA-Z0-9_-]{1,64}$'");

/** A function, as both APIs describe it. Tools of other types are the vendor's: accepted, and not offered to the model. */
export const FunctionTool = z.looseObject({
  name,
  description: z.string().nullish(),
  parameters: schema.nullish(),
  strict: z.boolean().nullish(),
});
export type FunctionTool = z.infer<typeof FunctionTool>;

export const JsonFormat = z.looseObject({
  name,
  schema,
  strict: z.boolean().nullish(),
  description: z.string().nullish(),
});

const Mode = z.enum(['none', 'auto', 'required']);

const CreateResponse = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(Item)]),
  instructions: z.string().nullish(),
  max_output_tokens: z.number().int().min(16).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  previous_response_id: z.string().nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  text: z.looseObject({ format: z.looseObject({ type: z.string() }).nullish() }).nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
  tool_choice: z.union([Mode, z.looseObject({ type: z.string(), name: z.string().optional() })]).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
});
export type CreateResponse = z.infer<typeof CreateResponse>;

const ChatMessage = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: Content.nullish(),
  tool_calls: z
    .array(
      z.looseObject({
        id: z.string(),
        function: z.looseObject({ name: z.string(), arguments: z.string() }).optional(),
      }),
    )
    .nullish(),
  tool_call_id: z.string().optional(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

const CreateCompletion = z.looseObject({
  model: z.string().min(1),
  messages: z.array(ChatMessage).min(1),
  max_completion_tokens: z.number().int().min(1).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z.looseObject({ type: z.string(), json_schema: z.unknown().optional() }).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z.array(z.looseObject({ type: z.string(), function: z.unknown().optional() })).nullish(),
  tool_choice: z
    .union([Mode, z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string() }).optional() })])
    .nullish(),
});
export type CreateCompletion = z.infer<typeof CreateCompletion>;

interface Body {
  body: unknown;
  bodyFault?: string;
}

/** Reads the body of POST /v1/responses. Throws OpenAIError with status 400 for the first fault. */
export function parseResponseRequest(state: Body): CreateResponse {
  return parseBody(CreateResponse, state);
}

/** Reads the body of POST /v1/chat/completions. Throws OpenAIError with status 400 for the first fault. */
export function parseCompletionRequest(state: Body): CreateCompletion {
  return parseBody(CreateCompletion, state);
}

function parseBody<T>(shape: z.ZodType<T>, { body, bodyFault }: Body): T {
  if (bodyFault !== undefined || typeof body !== 'object' || body === null) {
    throw new OpenAIError(400, {
      message:
        "We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent isn't.",
    });
  }
  return parseAt(shape, body, '');
}

/** Checks a part of a request. Throws OpenAIError, 400, that names the place: `tools[0].name`. */
export function parseAt<T>(shape: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const param = path.reduce<string>(
    (at, key) => (typeof key === 'number' ? `${at}[${key}]` : `${at}${at === '' ? '' : '.'}${String(key)}`),
    place,
  );
  const found = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
  if (found === undefined) {
    throw new OpenAIError(400, {
      message: `Missing required parameter: '${param}'.`,
      param,
      code: 'missing_required_parameter',
    });
  }
  throw refuseValue(param, issue?.message ?? 'not valid');
}

export function refuseValue(param: string, why: string): OpenAIError {
  return new OpenAIError(400, { message: `Invalid '${param}': ${why}.`, param, code: 'invalid_value' });
}
