import { timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware } from 'koa';
import { inventKey } from '../keys.ts';
import { beginAnswer, collectAnswer } from '../model/begin.ts';
import type { Answering } from '../model/begin.ts';
import { createModelControl } from '../model/control.ts';
import type { ModelStore } from '../model/control.ts';
import { decideAnswer } from '../model/decide.ts';
import { UnsatisfiableSchema } from '../model/generate.ts';
import type { Answer } from '../model/script.ts';
import { sendFrames } from '../model/serve.ts';
import type { ModelRequest } from '../model/serve.ts';
import { createModelState, takeFault } from '../model/state.ts';
import { countInput, createPromptCache } from '../model/usage.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { AnthropicError, createServerFault } from './errors.ts';
import { createMessage, streamMessage } from './message.ts';
import { describeModel, isKnownModel, listModels } from './models.ts';
import { parseMessageRequest } from './request.ts';
import type { MessageRequest } from './request.ts';
import { countUsage } from './usage.ts';

const VENDOR = { name: 'Claude', keyVariable: 'ANTHROPIC_API_KEY' };

/** Anthropic's Messages API: messages (streamed or whole), count_tokens and models, answered by the sandbox model. */
export function createAnthropicVendor(context: VendorContext): Vendor {
  const store = context.openStore<ModelStore>(() => ({ api_key: inventKey('sk-ant-sandbox-', 32) }));
  const state = createModelState();
  const cache = createPromptCache(context.clock.now);
  const deps = { state, delays: context.delays, now: context.clock.now };
  const router = new Router<RequestState>();
  router.use(createModelControl(state, store).routes());
  const api = new Router<RequestState>({ prefix: '/v1' });
  api.use(requireKey(store.data.api_key));

  const decide = ({ input }: MessageRequest): Answer => {
    try {
      return decideAnswer(input, { scripts: store.data.scripts ?? [], vendor: VENDOR });
    } catch (error) {
      if (!(error instanceof UnsatisfiableSchema)) throw error;
      const message = `output_config.format.schema: the sandbox model can't answer with it: ${error.message}`;
      throw new AnthropicError('invalid_request_error', message);
    }
  };
  const begin = (ctx: ModelRequest, read: MessageRequest): Answering =>
    beginAnswer(deps, ctx, {
      id: inventKey('msg_01', 22),
      model: read.request.model,
      stream: read.request.stream === true,
      answer: decide(read),
      inventCallId: () => inventKey('toolu_01', 22),
      maxTokens: read.request.max_tokens,
      stopSequences: read.request.stop_sequences,
    });

  api.post('/messages', async (ctx) => {
    const read = parseMessageRequest(ctx.state);
    const { model } = read.request;
    const refusal = takeFault(state.refusals, model);
    if (refusal !== null) throw createServerFault(refusal.kind, refusal.retry_after_seconds);
    const answering = begin(ctx, read);
    const fields = { model, usage: countUsage(read, cache), answering };
    if (read.request.stream === true) await sendFrames(ctx, streamMessage(fields, requestIdOf(ctx)));
    else ctx.body = createMessage(fields, await collectAnswer(ctx, answering, createServerFault));
  });
  api.post('/messages/count_tokens', (ctx) => {
    const body = typeof ctx.state.body === 'object' ? { max_tokens: 1, ...ctx.state.body } : ctx.state.body;
    ctx.body = { input_tokens: countInput(parseMessageRequest({ ...ctx.state, body }).input) };
  });
  api.get('/models', (ctx) => {
    ctx.body = listModels(ctx.query);
  });
  api.get('/models/:id', (ctx) => {
    const id = String(ctx.params['id']);
    if (!isKnownModel(id)) throw new AnthropicError('not_found_error', `model: ${id}`);
    ctx.body = describeModel(id);
  });
  router.use(api.routes());
  return {
    routes: async (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next)),
    credentials: { ANTHROPIC_API_KEY: store.data.api_key },
    summarize: () => ({
      answers: state.answers.length,
      aborted: state.answers.filter((answer) => answer.aborted).length,
      scripts: store.data.scripts?.length ?? 0,
    }),
    inspect: () => ({ ...state, scripts: store.data.scripts ?? [] }),
  };
}

/** Gives each request its id, and every refusal Anthropic's shape. */
async function answerErrors(ctx: ModelRequest, next: () => Promise<unknown>): Promise<void> {
  const id = inventKey('req_01', 22);
  ctx.set('request-id', id);
  try {
    await next();
    if (ctx.status === 404 && ctx.body === undefined && ctx.respond !== false) {
      throw new AnthropicError('not_found_error', 'Not found');
    }
  } catch (error) {
    if (!(error instanceof AnthropicError)) throw error;
    ctx.status = error.status;
    if (error.status === 529) ctx.set('x-should-retry', 'true');
    if (error.retryAfterSeconds !== undefined) ctx.set('retry-after', String(error.retryAfterSeconds));
    ctx.body = error.toBody(id);
  }
}

function requestIdOf(ctx: ModelRequest): string {
  return String(ctx.response.get('request-id'));
}

/** The key comes as `x-api-key` (until 2026) or as a bearer token (newer SDKs); any dated version is good. */
function requireKey(key: string): Middleware<RequestState> {
  return async (ctx, next) => {
    const bearer = /^Bearer (.+)$/i.exec(ctx.get('authorization'))?.[1];
    const given = ctx.get('x-api-key') || bearer;
    if (given === undefined) throw new AnthropicError('authentication_error', 'x-api-key header is required');
    if (!isSame(given, key)) throw new AnthropicError('authentication_error', 'invalid x-api-key');
    const version = ctx.get('anthropic-version');
    if (version === '') throw new AnthropicError('invalid_request_error', 'anthropic-version: header is required');
    if (!/^\d{4}-\d{2}-\d{2}$/.test(version)) {
      throw new AnthropicError('invalid_request_error', `anthropic-version: "${version}" is not a valid version`);
    }
    return next();
  };
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
