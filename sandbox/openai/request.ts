import { z } from 'zod';
import type { ModelInput } from '../model/answer.ts';
import { OpenAIError } from './errors.ts';

/** Parts that the sandbox model can't read (images, tool calls…) are accepted and passed over. */
const Part = z.looseObject({ type: z.string(), text: z.string().optional() });
const Content = z.union([z.string(), z.array(Part)]);
const Message = z.looseObject({ role: z.string().optional(), content: Content.nullish() });

const CreateResponse = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(Message)]),
  instructions: z.string().nullish(),
  max_output_tokens: z.number().int().min(16).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
});
export type CreateResponse = z.infer<typeof CreateResponse>;

const CreateCompletion = z.looseObject({
  model: z.string().min(1),
  messages: z.array(Message).min(1),
  max_completion_tokens: z.number().int().min(1).nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
});
export type CreateCompletion = z.infer<typeof CreateCompletion>;

interface Body {
  body: unknown;
  bodyFault?: string;
}

/** Reads the body of POST /v1/responses. Throws OpenAIError with status 400 for the first fault. */
export function parseResponseRequest(state: Body): CreateResponse {
  return parse(CreateResponse, state);
}

/** Reads the body of POST /v1/chat/completions. Throws OpenAIError with status 400 for the first fault. */
export function parseCompletionRequest(state: Body): CreateCompletion {
  return parse(CreateCompletion, state);
}

function parse<T>(schema: z.ZodType<T>, { body, bodyFault }: Body): T {
  if (bodyFault !== undefined || typeof body !== 'object' || body === null) {
    throw new OpenAIError(400, {
      message:
        "We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent isn't.",
    });
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const param = (issue?.path ?? []).map((key, index) => (index === 0 ? String(key) : `[${String(key)}]`)).join('');
  if (issue?.path.length === 1 && !(param in body)) {
    throw new OpenAIError(400, {
      message: `Missing required parameter: '${param}'.`,
      param,
      code: 'missing_required_parameter',
    });
  }
  throw new OpenAIError(400, {
    message: `Invalid '${param}': ${issue?.message ?? 'not valid'}.`,
    param,
    code: 'invalid_value',
  });
}

/** The input of /v1/responses as the sandbox model reads it: text only. */
export function readResponseInput({ input, instructions }: CreateResponse): ModelInput {
  const read = readMessages(typeof input === 'string' ? [{ role: 'user', content: input }] : input);
  return { ...read, system: [instructions ?? '', read.system].filter((text) => text !== '').join('\n') };
}

/** The messages of /v1/chat/completions as the sandbox model reads them: text only. */
export function readMessages(messages: z.infer<typeof Message>[]): ModelInput {
  const isSystem = (role: string | undefined): boolean => role === 'system' || role === 'developer';
  return {
    system: messages.flatMap(({ role, content }) => (isSystem(role) ? [textOf(content)] : [])).join('\n'),
    messages: messages.flatMap(({ role, content }) =>
      role === 'user' || role === 'assistant' ? [{ role, text: textOf(content) }] : [],
    ),
  };
}

function textOf(content: z.infer<typeof Content> | null | undefined): string {
  if (typeof content === 'string') return content;
  return (content ?? []).flatMap((part) => (part.text === undefined ? [] : [part.text])).join('\n');
}
