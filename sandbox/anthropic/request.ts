import { z } from 'zod';
import type { ModelInput } from '../model/answer.ts';
import { AnthropicError } from './errors.ts';
import { isKnownModel } from './models.ts';

const TextBlock = z.looseObject({ type: z.literal('text'), text: z.string() });
/** Blocks that the sandbox model can't read (images, tools…) are accepted and passed over. */
const OtherBlock = z.looseObject({ type: z.string() });
const Content = z.union([z.string(), z.array(z.union([TextBlock, OtherBlock]))]);

const CreateMessage = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.number().int().min(1),
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant']), content: Content })).min(1),
  system: z.union([z.string(), z.array(TextBlock)]).optional(),
  stream: z.boolean().optional(),
  stop_sequences: z.array(z.string()).optional(),
});
export type CreateMessage = z.infer<typeof CreateMessage>;

/** Reads the body of POST /v1/messages. Throws AnthropicError: 400 for the first fault, 404 for an unknown model. */
export function parseMessageRequest(state: { body: unknown; bodyFault?: string }): CreateMessage {
  if (state.bodyFault !== undefined || state.body === undefined) {
    throw new AnthropicError('invalid_request_error', 'The request body is not valid JSON.');
  }
  const parsed = CreateMessage.safeParse(state.body);
  if (!parsed.success) throw new AnthropicError('invalid_request_error', describeFault(parsed.error, state.body));
  if (!isKnownModel(parsed.data.model)) throw new AnthropicError('not_found_error', `model: ${parsed.data.model}`);
  return parsed.data;
}

/** Anthropic names the place and what is wrong: `max_tokens: Field required`. */
function describeFault(error: z.ZodError, body: unknown): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'The request is not valid.';
  const path = issue.path.map(String);
  const value = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    body,
  );
  return `${path.join('.') || 'body'}: ${value === undefined ? 'Field required' : issue.message}`;
}

/** The request as the sandbox model reads it: text only. */
export function toModelInput(request: CreateMessage): ModelInput {
  return {
    system: request.system === undefined ? '' : textOf(request.system),
    messages: request.messages.map(({ role, content }) => ({ role, text: textOf(content) })),
  };
}

function textOf(content: z.infer<typeof Content>): string {
  if (typeof content === 'string') return content;
  return content
    .flatMap((block) => (block.type === 'text' && typeof block.text === 'string' ? [block.text] : []))
    .join('\n');
}
