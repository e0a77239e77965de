import { experimental_streamLanguageModelCall as streamCall, jsonSchema, Output } from 'ai';
import type { AssistantContent, ContentPart, LanguageModelUsage, ModelMessage, ToolSet } from 'ai';
import type { Experimental_LanguageModelStreamPart as StreamPart } from 'ai';
import { SpoqError } from '../../contract/errors.ts';
import type { Usage } from '../budget/cost.ts';
import type { ModelCall, ModelEvent } from './call-model.ts';
import type { Model } from './create-model.ts';

/** `usage` comes before `done`, where the provider says it. */
export type Said = ModelEvent | { type: 'usage'; usage: Usage };

/**
 * One request to a provider. Of the AI SDK it takes the part that makes one call: its `streamText` is made of steps, retries and several readers,
 * none of which are wanted here, and takes twice the time until the first word.
 *
 * Throws what the provider's client throws, `model_timeout`, `model_failed`, or the reason of `call.signal`. Leaving the loop early ends the request.
 */
export async function* callOnce(call: ModelCall, model: Model, maxOutputTokens: number): AsyncGenerator<Said> {
  const stall = new AbortController();
  let content: readonly ContentPart<ToolSet>[] = [];
  try {
    const begun = streamCall({
      model: model.model,
      instructions: call.instructions,
      messages: call.messages,
      maxOutputTokens,
      abortSignal: AbortSignal.any([call.signal, stall.signal]),
      ...(call.schema === undefined ? {} : { output: Output.object({ schema: jsonSchema(call.schema) }) }),
      ...(call.tools === undefined ? {} : { tools: call.tools }),
      ...(model.options === undefined ? {} : { providerOptions: model.options }),
      onLanguageModelCallEnd: (end) => void (content = end.content),
    });
    const { stream } = await heard(begun, stall, model.stallMs);
    const parts = stream[Symbol.asyncIterator]();
    for (;;) {
      const result = await heard(parts.next(), stall, model.stallMs);
      if (result.done === true) throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
      const part = result.value;
      if (part.type === 'model-call-end') {
        const usage = readUsage(part.usage);
        if (usage !== undefined) yield { type: 'usage', usage };
        yield { ...readFinish(part, model), messages: toMessages(content) };
        return;
      }
      const event = readPart(part);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    call.signal.throwIfAborted();
    stall.signal.throwIfAborted();
    throw error;
  } finally {
    // Whoever leaves this loop early, by an error or by not reading on, must not leave a paid call running.
    stall.abort();
  }
}

/** What the model has to say for itself within `ms`. Only waiting for it counts as silence, not a slow reader of ours. */
async function heard<T>(said: PromiseLike<T>, stall: AbortController, ms: number): Promise<T> {
  const silent = (): void => {
    stall.abort(new SpoqError('model_timeout', { detail: `The model was silent for ${ms / 1000} seconds.` }));
  };
  const timer = setTimeout(silent, ms);
  try {
    return await said;
  } finally {
    clearTimeout(timer);
  }
}

function readPart(part: StreamPart<ToolSet>): ModelEvent | undefined {
  switch (part.type) {
    case 'text-delta':
      return part.text === '' ? undefined : { type: 'text', text: part.text };
    case 'tool-call':
      return {
        type: 'tool_call',
        call: part.toolCallId,
        tool: part.toolName,
        input: part.input,
        ...(part.invalid === true
          ? { invalid: part.error instanceof Error ? part.error.message : String(part.error) }
          : {}),
      };
    case 'error':
      throw part.error;
    default:
      return undefined;
  }
}

function readFinish(
  { finishReason, usage }: Extract<StreamPart<ToolSet>, { type: 'model-call-end' }>,
  model: Model,
): Omit<Extract<ModelEvent, { type: 'done' }>, 'messages'> {
  if (finishReason === 'interrupted' || finishReason === 'error') {
    throw new SpoqError('model_failed', { detail: 'The answer broke off.' });
  }
  return {
    type: 'done',
    stop_reason: finishReason.replaceAll('-', '_'),
    model,
    input_tokens: usage.inputTokens ?? null,
    output_tokens: usage.outputTokens ?? null,
  };
}

/** Undefined where the provider doesn't say what was used. */
function readUsage({ inputTokens, outputTokens, inputTokenDetails }: LanguageModelUsage): Usage | undefined {
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  return {
    input_tokens: inputTokens,
    cached_tokens: inputTokenDetails.cacheReadTokens ?? 0,
    cache_write_tokens: inputTokenDetails.cacheWriteTokens ?? 0,
    output_tokens: outputTokens,
  };
}

type AssistantPart = Exclude<AssistantContent, string>[number];

/** What the model has said as the next call wants to be told it, with what its provider wants back (the signature of a thought). */
function toMessages(content: readonly ContentPart<ToolSet>[]): ModelMessage[] {
  const parts = content.flatMap((part): AssistantPart[] => {
    const signed = 'providerMetadata' in part ? { providerOptions: part.providerMetadata } : {};
    switch (part.type) {
      case 'text':
      case 'reasoning':
        return part.text === '' && part.providerMetadata === undefined
          ? []
          : [{ type: part.type, text: part.text, ...signed }];
      case 'tool-call': {
        const { toolCallId, toolName } = part;
        // A provider would refuse as input what is no object, though it came from there.
        const input: unknown = part.invalid === true && typeof part.input !== 'object' ? {} : part.input;
        return [{ type: 'tool-call', toolCallId, toolName, input, ...signed }];
      }
      default:
        return []; // Nothing else is asked for.
    }
  });
  return parts.length === 0 ? [] : [{ role: 'assistant', content: parts }];
}
