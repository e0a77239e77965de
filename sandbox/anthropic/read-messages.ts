import { z } from 'zod';
import { createModelMessage } from '../model/conversation.ts';
import type { ModelMessage, SentImage, ToolResult } from '../model/conversation.ts';
import { readImage } from '../model/image.ts';
import { describeFault } from './describe-fault.ts';
import { AnthropicError } from './errors.ts';
import type { CreateMessage } from './request.ts';

type Message = CreateMessage['messages'][number];
type Block = Exclude<Message['content'], string>[number];

const MEDIA_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
/** Anthropic's published limits of one image. */
const IMAGE_BYTES = 5 * 1024 * 1024;
const IMAGE_PIXELS = 8000;

const Id = z.string().regex(/^[a-zA-Z0-9_-]+$/, "String should match pattern '^[a-zA-Z0-9_-]+$'");
const Text = z.looseObject({ text: z.string() });
const Image = z.looseObject({
  source: z.discriminatedUnion('type', [
    z.looseObject({
      type: z.literal('base64'),
      media_type: z.enum(MEDIA_TYPES, "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"),
      data: z.string(),
    }),
    z.looseObject({ type: z.literal('url'), url: z.url() }),
  ]),
});
const ToolUse = z.looseObject({ id: Id, name: z.string().min(1).max(200), input: z.record(z.string(), z.unknown()) });
const ToolResultBlock = z.looseObject({
  tool_use_id: Id,
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).optional(),
  is_error: z.boolean().nullish(),
});
/** Kinds of content that Anthropic takes and the sandbox model can't read. */
const UNREAD =
  /^(?:document|thinking|redacted_thinking|search_result|server_tool_use|container_upload|tool_reference|\w+_tool_result)$/;

/** Reads one message. Throws AnthropicError, 400, for what Anthropic refuses; `place` is the message's path. */
export function readMessage({ role, content }: Message, place: string): ModelMessage {
  const message = createModelMessage(role === 'assistant' ? 'assistant' : 'user');
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const texts: string[] = [];
  for (const [index, block] of blocks.entries()) {
    const at = `${place}.content.${index}`;
    switch (block.type) {
      case 'text':
        texts.push(readText(block, at));
        break;
      case 'image':
        message.images.push(readImageBlock(block, at));
        break;
      case 'tool_use':
        if (role !== 'assistant') throw refuse(`${place}: \`tool_use\` blocks can only be in \`assistant\` messages`);
        message.calls.push(parseBlock(ToolUse, block, at));
        break;
      case 'tool_result': {
        if (role !== 'user') throw refuse(`${place}: \`tool_result\` blocks can only be in \`user\` messages`);
        const { result, images } = readResult(block, at);
        message.results.push(result);
        message.images.push(...images);
        break;
      }
      default:
        if (!UNREAD.test(block.type)) {
          throw refuse(`${at}: Input tag '${block.type}' found using 'type' does not match any of the expected tags`);
        }
        message.passed_over.push(block.type);
    }
  }
  return { ...message, text: texts.join('\n') };
}

/** The text of `system`, whichever of its two forms it has. */
export function readSystem(system: CreateMessage['system']): string {
  if (typeof system === 'string' || system === undefined) return system ?? '';
  return system.map(({ text }) => text).join('\n');
}

function readText(block: Block, at: string): string {
  const { text } = parseBlock(Text, block, `${at}.text`);
  if (text === '') throw refuse('messages: text content blocks must be non-empty');
  return text;
}

function readResult(block: Block, at: string): { result: ToolResult; images: SentImage[] } {
  const { tool_use_id, content = '', is_error } = parseBlock(ToolResultBlock, block, `${at}.tool_result`);
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const images: SentImage[] = [];
  const texts = parts.map((part, index) => {
    const place = `${at}.tool_result.content.${index}`;
    if (part.type === 'text') return parseBlock(Text, part, `${place}.text`).text;
    if (part.type === 'image') images.push(readImageBlock(part, place));
    else if (!UNREAD.test(part.type)) throw refuse(`${place}: Input tag '${part.type}' is not expected here`);
    return '';
  });
  const text = texts.filter((one) => one !== '').join('\n');
  return { result: { call_id: tool_use_id, text, is_error: is_error === true }, images };
}

function readImageBlock(block: Block, at: string): SentImage {
  const { source } = parseBlock(Image, block, `${at}.image`);
  if (source.type === 'url') return { url: source.url };
  const place = `${at}.image.source.base64`;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(source.data)) throw refuse(`${place}: invalid base64 data`);
  const data = Buffer.from(source.data, 'base64');
  if (data.length > IMAGE_BYTES) {
    throw refuse(`${place}: image exceeds 5 MB maximum: ${data.length} bytes > ${IMAGE_BYTES} bytes`);
  }
  const image = readImage(data);
  if (image === undefined) throw refuse('Could not process image');
  if (image.media_type !== source.media_type) {
    throw refuse(
      `${place}: The image was specified using the ${source.media_type} media type, but the image appears to be a ` +
        `${image.media_type} image`,
    );
  }
  if (Math.max(image.width, image.height) > IMAGE_PIXELS) {
    throw refuse(`${place}.data: At least one of the image dimensions exceed max allowed size: ${IMAGE_PIXELS} pixels`);
  }
  return image;
}

function parseBlock<T>(schema: z.ZodType<T>, block: unknown, place: string): T {
  const parsed = schema.safeParse(block);
  if (!parsed.success) throw refuse(describeFault(parsed.error, block, [place]));
  return parsed.data;
}

function refuse(message: string): AnthropicError {
  return new AnthropicError('invalid_request_error', message);
}
