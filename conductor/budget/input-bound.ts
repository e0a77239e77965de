import { asSchema } from 'ai';
import type { Instructions, ModelMessage, ToolSet } from 'ai';
import { SpoqError } from '../../contract/errors.ts';

/** What providers put around messages and tools: marks between turns, their own instructions on tools (Anthropic: up to 800 tokens). */
const AROUND_TOKENS = 256;
const AROUND_MESSAGE_TOKENS = 16;
const TOOLS_TOKENS = 1_024;
/** An image costs by its size in pixels: 10,000 patches at most (OpenAI's finest detail), times 1.62 at its small models. */
const IMAGE_TOKENS = 16_384;

/** What goes into a call. */
interface Input {
  instructions: Instructions;
  messages: ModelMessage[];
  tools?: ToolSet;
  schema?: Record<string, unknown> | undefined;
}

/**
 * No more tokens than this can go in. The providers' tokenizers are byte-pair encodings: a token is at least one byte of UTF-8, so text has
 * at most as many tokens as bytes. Usually it has a quarter of that, and the rest is given back when the call has ended. Throws
 * `invalid_request` on attachments whose tokens nothing bounds.
 */
export async function boundInput({ tools = {}, ...input }: Input): Promise<number> {
  let tokens = boundMessages(input);
  const described = Object.entries(tools);
  if (described.length > 0 && input.schema === undefined) tokens += TOOLS_TOKENS;
  for (const [name, tool] of described) {
    const schema = await asSchema(tool.inputSchema).jsonSchema;
    tokens += AROUND_MESSAGE_TOKENS + byteLength(JSON.stringify([name, tool.description ?? '', schema]));
  }
  return tokens;
}

/** The same, where no tools are offered. */
export function boundMessages({ instructions, messages, schema }: Omit<Input, 'tools'>): number {
  let tokens =
    AROUND_TOKENS +
    byteLength(typeof instructions === 'string' ? instructions : JSON.stringify(instructions)) +
    messages.length * AROUND_MESSAGE_TOKENS;
  let images = 0;
  const text = JSON.stringify(messages, (_key, value: unknown) => {
    if (!isBinaryPart(value)) return value;
    if (!isImage(value)) {
      throw new SpoqError('invalid_request', {
        detail: 'What this attachment would cost is not known.',
        faults: [{ field: 'attachments', message: 'only text and images can be sent' }],
      });
    }
    images += 1;
    return null;
  });
  tokens += byteLength(text) + images * IMAGE_TOKENS;
  // A schema goes as a tool at some providers.
  if (schema !== undefined) tokens += TOOLS_TOKENS + byteLength(JSON.stringify(schema));
  return tokens;
}

interface BinaryPart {
  type: string;
  mediaType?: string;
}

/** A part of a message as the AI SDK has it; not just anything that a tool was given and that says `type`. */
function isBinaryPart(value: unknown): value is BinaryPart {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') return false;
  const hasContent = 'image' in value || 'data' in value || 'url' in value;
  return hasContent && (value.type === 'image' || ('mediaType' in value && typeof value.mediaType === 'string'));
}

function isImage({ type, mediaType }: BinaryPart): boolean {
  return type.startsWith('image') || mediaType?.startsWith('image') === true;
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
