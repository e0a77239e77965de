import { timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware } from 'koa';
import { inventKey } from '../keys.ts';
import { composeAnswer } from '../model/answer.ts';
import { beginAnswer } from '../model/begin.ts';
import { createModelControl } from '../model/control.ts';
import { createModelState } from '../model/script.ts';
import { sendFrames } from '../model/serve.ts';
import type { ModelRequest } from '../model/serve.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { AnthropicError } from './errors.ts';
import { countInput, createMessage, streamMessage, toAnthropicError } from './message.ts';
import { describeModel, isKnownModel, listModels } from './models.ts';
import { parseMessageRequest, toModelInput } from './request.ts';

/** Anthropic's Messages API: messages (streamed or whole), count_tokens and models, answered by the sandbox model. */
export function createAnthropicVendor(context: VendorContext): Vendor {
  const store = context.openStore(() => ({ api_key: inventKey('sk-ant-sandbox-', 32) }));
  const state = createModelState();
  const router = new Router<RequestState>();
  router.use(createModelControl(state).routes());
  const api = new Router<RequestState>({ prefix: '/v1' });
  api.use(requireKey(store.data.api_key));
  api.post('/messages', async (ctx) => {
    const request = parseMessageRequest(ctx.state);
    const answering = beginAnswer({ state, delays: context.delays, now: context.clock.now }, ctx, {
      id: inventKey('msg_01', 22),
      model: request.model,
      stream: request.stream === true,
      text: composeAnswer(toModelInput(request), { name: 'Claude', keyVariable: 'ANTHROPIC_API_KEY' }),
      maxTokens: request.max_tokens,
      stopSequences: request.stop_sequences,
    });
    if (request.stream === true) {
      await sendFrames(ctx, streamMessage(request, answering, requestIdOf(ctx)));
      return;
    }
    let text = '';
    for await (const spoken of answering.spoken) {
      if (spoken.type === 'text') text += spoken.text;
      else if (spoken.fault === 'cut') ctx.res.destroy();
      else throw toAnthropicError(spoken.fault);
    }
    const { record, ending, countSpoken } = answering;
    ctx.body = createMessage(request, { id: record.id, text, ending, outputTokens: countSpoken() });
  });
  api.post('/messages/count_tokens', (ctx) => {
    const body = typeof ctx.state.body === 'object' ? { max_tokens: 1, ...ctx.state.body } : ctx.state.body;
    ctx.body = { input_tokens: countInput(parseMessageRequest({ ...ctx.state, body })) };
  });
  api.get('/models', (ctx) => {
    ctx.body = listModels();
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
    }),
    inspect: () => state,
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
