import { timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware } from 'koa';
import { inventHex, inventKey } from '../keys.ts';
import { composeAnswer, countTokens } from '../model/answer.ts';
import type { ModelInput } from '../model/answer.ts';
import { beginAnswer } from '../model/begin.ts';
import type { Answering } from '../model/begin.ts';
import { createModelControl } from '../model/control.ts';
import { createModelState } from '../model/script.ts';
import { sendFrames } from '../model/serve.ts';
import type { ModelRequest } from '../model/serve.ts';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { createCompletion, streamCompletion } from './completion.ts';
import { createServerFault, OpenAIError } from './errors.ts';
import { describeModel, isKnownModel, listModels } from './models.ts';
import { parseCompletionRequest, parseResponseRequest, readMessages, readResponseInput } from './request.ts';
import { createItemId, finishResponse, streamResponse } from './response.ts';

/** OpenAI's Responses and Chat Completions (streamed or whole) and models, answered by the sandbox model. */
export function createOpenAIVendor(context: VendorContext): Vendor {
  const store = context.openStore(() => ({ api_key: inventKey('sk-sandbox-', 40) }));
  const state = createModelState();
  const deps = { state, delays: context.delays, now: context.clock.now };
  const seconds = (): number => Math.floor(context.clock.now().getTime() / 1000);
  const compose = (input: ModelInput): string => composeAnswer(input, { name: 'GPT', keyVariable: 'OPENAI_API_KEY' });
  const api = new Router<RequestState>({ prefix: '/v1' });
  api.use(requireKey(store.data.api_key));

  api.post('/responses', async (ctx) => {
    const request = parseResponseRequest(ctx.state);
    const { model } = request;
    if (!isKnownModel(model)) throw refuseModel(400, `The requested model '${model}' does not exist.`);
    const input = readResponseInput(request);
    const answering = beginAnswer(deps, ctx, {
      id: `resp_${inventHex(50)}`,
      model,
      stream: request.stream === true,
      text: compose(input),
      maxTokens: request.max_output_tokens ?? undefined,
    });
    const fields = { id: answering.record.id, created: seconds(), request, inputTokens: countInput(input), answering };
    if (request.stream === true) await sendFrames(ctx, streamResponse(fields, seconds));
    else ctx.body = finishResponse(fields, createItemId(), await collect(ctx, answering), seconds());
  });

  api.post('/chat/completions', async (ctx) => {
    const request = parseCompletionRequest(ctx.state);
    const { model, stop } = request;
    const missing = `The model \`${model}\` does not exist or you do not have access to it.`;
    if (!isKnownModel(model)) throw refuseModel(404, missing);
    const input = readMessages(request.messages);
    const answering = beginAnswer(deps, ctx, {
      id: inventKey('chatcmpl-', 29),
      model,
      stream: request.stream === true,
      text: compose(input),
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
      stopSequences: typeof stop === 'string' ? [stop] : (stop ?? []),
    });
    const fields = { id: answering.record.id, created: seconds(), request, inputTokens: countInput(input), answering };
    if (request.stream === true) await sendFrames(ctx, streamCompletion(fields));
    else ctx.body = createCompletion(fields, await collect(ctx, answering));
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
  router.use(createModelControl(state).routes(), api.routes());
  return {
    routes: (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next) as Promise<unknown>),
    credentials: { OPENAI_API_KEY: store.data.api_key },
    summarize: () => ({
      answers: state.answers.length,
      aborted: state.answers.filter((answer) => answer.aborted).length,
    }),
    inspect: () => state,
  };
}

function countInput(input: ModelInput): number {
  return countTokens([input.system, ...input.messages.map((message) => message.text)].join('\n'));
}

/** Waits for the whole answer. Throws OpenAIError when the model was told to fail. */
async function collect(ctx: ModelRequest, answering: Answering): Promise<string> {
  let text = '';
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'text') text += spoken.text;
    else if (spoken.fault === 'cut') ctx.res.destroy();
    else throw createServerFault(spoken.fault);
  }
  return text;
}

function refuseModel(status: number, message: string): OpenAIError {
  return new OpenAIError(status, { message, param: 'model', code: 'model_not_found' });
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
