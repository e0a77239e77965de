import { timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware } from 'koa';
import { inventHex, inventKey } from '../keys.ts';
import { beginAnswer, collectAnswer } from '../model/begin.ts';
import { createModelControl } from '../model/control.ts';
import type { ModelStore } from '../model/control.ts';
import { createModelInput } from '../model/conversation.ts';
import type { ModelInput, ModelMessage } from '../model/conversation.ts';
import { decideAnswer } from '../model/decide.ts';
import { UnsatisfiableSchema } from '../model/generate.ts';
import type { Answer } from '../model/script.ts';
import { sendFrames } from '../model/serve.ts';
import type { ModelRequest } from '../model/serve.ts';
import { createModelState, takeFault } from '../model/state.ts';
import { createPromptCache } from '../model/usage.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { createCompletion, streamCompletion } from './completion.ts';
import { createServerFault, OpenAIError } from './errors.ts';
import { createItemStore } from './item-store.ts';
import { describeModel, isKnownModel, listModels } from './models.ts';
import { readChat } from './read-chat.ts';
import { readInput } from './read-input.ts';
import { parseCompletionRequest, parseResponseRequest } from './request.ts';
import type { CreateCompletion } from './request.ts';
import { createItemIds, finishResponse, streamResponse } from './response.ts';
import { readCompletionTools, readFormat, readResponseTools, readToolChoice, toOffered } from './tools.ts';
import { countUsage } from './usage.ts';

const VENDOR = { name: 'GPT', keyVariable: 'OPENAI_API_KEY' };

/** OpenAI's Responses and Chat Completions (streamed or whole) and models, answered by the sandbox model. */
export function createOpenAIVendor(context: VendorContext): Vendor {
  const store = context.openStore<ModelStore>(() => ({ api_key: inventKey('sk-sandbox-', 40) }));
  const state = createModelState();
  const cache = createPromptCache(context.clock.now);
  const items = createItemStore();
  const deps = { state, delays: context.delays, now: context.clock.now };
  const seconds = (): number => Math.floor(context.clock.now().getTime() / 1000);
  const inventCallId = (): string => inventKey('call_', 24);
  const api = new Router<RequestState>({ prefix: '/v1' });
  api.use(requireKey(store.data.api_key));

  const refuse = (model: string): void => {
    const refusal = takeFault(state.refusals, model);
    if (refusal !== null) throw createServerFault(refusal.kind, refusal.retry_after_seconds);
  };
  const decide = (input: ModelInput, param: string): Answer => {
    try {
      return decideAnswer(input, { scripts: store.data.scripts ?? [], vendor: VENDOR });
    } catch (error) {
      if (!(error instanceof UnsatisfiableSchema)) throw error;
      const message = `The sandbox model can't answer with this schema: ${error.message}.`;
      throw new OpenAIError(400, { message, param, code: 'invalid_json_schema' });
    }
  };

  api.post('/responses', async (ctx) => {
    const request = parseResponseRequest(ctx.state);
    const { model, tool_choice: choice, max_output_tokens } = request;
    if (!isKnownModel(model)) throw refuseModel(400, `The requested model '${model}' does not exist.`);
    if (typeof request.previous_response_id === 'string') throw refusePrevious(request.previous_response_id);
    const tools = readResponseTools(request);
    const { system, messages } = readInput(request, items.find);
    const input = createModelInput(messages, {
      system,
      tools: toOffered(tools),
      choice: readToolChoice(choice, typeof choice === 'object' ? choice?.name : undefined, tools),
      parallel: request.parallel_tool_calls !== false,
      schema: readFormat(request.text?.format, 'text.format', listSaid(system, messages)),
    });
    refuse(model);
    const answer = decide(input, 'text.format.schema');
    const id = `resp_${inventHex(50)}`;
    const isStream = request.stream === true;
    const maxTokens = max_output_tokens ?? undefined;
    const answering = beginAnswer(deps, ctx, { id, model, stream: isStream, answer, inventCallId, maxTokens });
    const usage = countUsage(model, input, cache);
    const itemIds = createItemIds(answering);
    const fields = { id, created: seconds(), request, tools, usage, answering, itemIds };
    items.keep(fields);
    if (isStream) return sendFrames(ctx, streamResponse(fields, seconds));
    await collectAnswer(ctx, answering, createServerFault);
    ctx.body = finishResponse(fields, seconds());
  });

  api.post('/chat/completions', async (ctx) => {
    const request = parseCompletionRequest(ctx.state);
    const { model, stop, tool_choice: choice, response_format: format } = request;
    const missing = `The model \`${model}\` does not exist or you do not have access to it.`;
    if (!isKnownModel(model)) throw refuseModel(404, missing);
    const tools = readCompletionTools(request);
    const { system, messages } = readChat(request.messages);
    const input = createModelInput(messages, {
      system,
      tools: toOffered(tools),
      choice: readToolChoice(choice, typeof choice === 'object' ? choice?.function?.name : undefined, tools),
      parallel: request.parallel_tool_calls !== false,
      schema: readFormat(flattenFormat(format), 'response_format', listSaid(system, messages)),
    });
    refuse(model);
    const id = inventKey('chatcmpl-', 29);
    const answering = beginAnswer(deps, ctx, {
      id,
      model,
      stream: request.stream === true,
      answer: decide(input, 'response_format'),
      inventCallId,
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
      stopSequences: typeof stop === 'string' ? [stop] : (stop ?? []),
    });
    const fields = { id, created: seconds(), request, usage: countUsage(model, input, cache), answering };
    if (request.stream === true) return sendFrames(ctx, streamCompletion(fields));
    await collectAnswer(ctx, answering, createServerFault);
    ctx.body = createCompletion(fields);
  });

  api.get('/models', (ctx) => {
    ctx.body = listModels();
  });
  api.get('/models/:id', (ctx) => {
    const id = String(ctx.params['id']);
    if (!isKnownModel(id)) throw refuseModel(404, `The model '${id}' does not exist`);
    ctx.body = describeModel(id);
  });

  const router = new Router<RequestState>();
  router.use(createModelControl(state, store).routes(), api.routes());
  return {
    routes: (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next) as Promise<unknown>),
    credentials: { OPENAI_API_KEY: store.data.api_key },
    summarize: () => ({
      answers: state.answers.length,
      aborted: state.answers.filter((answer) => answer.aborted).length,
      scripts: store.data.scripts?.length ?? 0,
    }),
    inspect: () => ({ ...state, scripts: store.data.scripts ?? [] }),
  };
}

function listSaid(system: string, messages: readonly ModelMessage[]): string {
  return [system, ...messages.map(({ text }) => text)].join('\n');
}

/** Chat Completions keep a schema one level deeper than Responses. */
function flattenFormat(format: CreateCompletion['response_format']): unknown {
  const { json_schema, ...rest } = format ?? {};
  return typeof json_schema === 'object' ? { ...rest, ...json_schema } : format;
}

function refuseModel(status: number, message: string): OpenAIError {
  return new OpenAIError(status, { message, param: 'model', code: 'model_not_found' });
}

/** The sandbox stores items, not whole responses: to it, each is one that has expired. */
function refusePrevious(id: string): OpenAIError {
  const message = `Previous response with id '${id}' not found.`;
  return new OpenAIError(400, { message, param: 'previous_response_id', code: 'previous_response_not_found' });
}

/** Gives each answer its headers, and every refusal OpenAI's shape. */
async function answerErrors(ctx: ModelRequest, next: () => Promise<unknown>): Promise<void> {
  ctx.set({
    'x-request-id': `req_${inventHex(32)}`,
    'openai-version': '2020-10-01',
    'openai-organization': 'spoq-sandbox',
    'x-ratelimit-limit-requests': '10000',
    'x-ratelimit-remaining-requests': '9999',
    'x-ratelimit-reset-requests': '6ms',
  });
  try {
    await next();
    if (ctx.status === 404 && ctx.body === undefined && ctx.respond !== false) {
      throw new OpenAIError(404, { message: `Invalid URL (${ctx.method} ${ctx.path})` });
    }
  } catch (error) {
    if (!(error instanceof OpenAIError)) throw error;
    ctx.status = error.status;
    if (error.retryAfterSeconds !== undefined) ctx.set('retry-after', String(error.retryAfterSeconds));
    ctx.body = error.toBody();
  }
}

function requireKey(key: string): Middleware<RequestState> {
  return (ctx, next) => {
    const given = /^Bearer +(\S+)$/i.exec(ctx.get('authorization'))?.[1];
    if (given === undefined) {
      const message =
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
        '(i.e. Authorization: Bearer YOUR_KEY).';
      throw new OpenAIError(401, { message });
    }
    const [a, b] = [Buffer.from(given), Buffer.from(key)];
    if (a.length === b.length && timingSafeEqual(a, b)) return next();
    const shown = `${given.slice(0, 3)}${'*'.repeat(8)}${given.slice(-4)}`;
    throw new OpenAIError(401, { message: `Incorrect API key provided: ${shown}.`, code: 'invalid_api_key' });
  };
}
