import { Router } from '@koa/router';
import type { z } from 'zod';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { Script } from './script.ts';
import type { ModelRequest } from './serve.ts';
import { Refusal, StreamFault } from './state.ts';
import type { ModelState } from './state.ts';

/** What a model vendor keeps over a restart. States of before there were scripts have none. */
export interface ModelStore {
  api_key: string;
  scripts?: Script[];
}

/**
 * What only a sandboxed model has, under /_sandbox on its own port:
 * - POST /_sandbox/scripts `{match, steps: [{expect?, text?, calls?: [{name, input}]}]}`: what it does in conversations whose
 *   first user message contains `match`; one of the same `match` is replaced. Kept over a restart. See Script
 * - GET and DELETE /_sandbox/scripts
 * - POST /_sandbox/stream-faults `{after_chunks, kind: error|overloaded|stall|cut, times, model?}`: the next streams break there
 * - POST /_sandbox/refusals `{kind: overloaded|rate_limited|error, retry_after_seconds?, times, model?}`: the next requests
 *   are refused
 * - GET and DELETE of both: those still to come
 * - GET /_sandbox/answers: the latest answers, with `calls`, `chunks_sent`, `finished` and `aborted` (the client went away)
 */
export function createModelControl(state: ModelState, store: Store<ModelStore>): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/_sandbox' });
  addList(router, '/stream-faults', { schema: StreamFault, what: 'a stream fault', list: state.stream_faults });
  addList(router, '/refusals', { schema: Refusal, what: 'a refusal', list: state.refusals });
  router.get('/answers', (ctx) => {
    ctx.body = state.answers;
  });

  router.post('/scripts', (ctx) => {
    const script = parse(ctx, Script, 'a script');
    if (script === undefined) return;
    store.update((data) => {
      data.scripts = [...(data.scripts ?? []).filter(({ match }) => match !== script.match), script];
    });
    ctx.status = 201;
    ctx.body = script;
  });
  router.get('/scripts', (ctx) => {
    ctx.body = store.data.scripts ?? [];
  });
  router.delete('/scripts', (ctx) => {
    store.update((data) => {
      data.scripts = [];
    });
    ctx.status = 204;
  });
  return router;
}

function addList<T>(
  router: Router<RequestState>,
  path: string,
  { schema, what, list }: { schema: z.ZodType<T>; what: string; list: T[] },
): void {
  router.post(path, (ctx) => {
    const one = parse(ctx, schema, what);
    if (one === undefined) return;
    list.push(one);
    ctx.status = 201;
    ctx.body = one;
  });
  router.get(path, (ctx) => {
    ctx.body = list;
  });
  router.delete(path, (ctx) => {
    list.length = 0;
    ctx.status = 204;
  });
}

/** The body, or undefined after an answer that names every fault. */
function parse<T>(ctx: ModelRequest, schema: z.ZodType<T>, what: string): T | undefined {
  const parsed = schema.safeParse(ctx.state.body);
  if (parsed.success) return parsed.data;
  ctx.status = 400;
  const errors = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`);
  ctx.body = { message: `This is not ${what}`, errors: [...errors, ...[ctx.state.bodyFault ?? []].flat()] };
  return undefined;
}
