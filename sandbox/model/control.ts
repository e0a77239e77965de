import { Router } from '@koa/router';
import type { RequestState } from '../parse-body.ts';
import { StreamFault } from './script.ts';
import type { ModelState } from './script.ts';

/**
 * What only a sandboxed model has, under /_sandbox on its own port:
 * - POST /_sandbox/stream-faults `{after_chunks, kind: error|overloaded|stall|cut, times}`: the next streams break there
 * - GET and DELETE /_sandbox/stream-faults: those still to come
 * - GET /_sandbox/answers: the latest answers, with `chunks_sent`, `finished` and `aborted` (the client went away)
 */
export function createModelControl(state: ModelState): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/_sandbox' });
  router.post('/stream-faults', (ctx) => {
    const parsed = StreamFault.safeParse(ctx.state.body);
    if (!parsed.success) {
      ctx.status = 400;
      ctx.body = { message: 'This is not a stream fault', errors: parsed.error.issues.map((issue) => issue.message) };
      return;
    }
    state.stream_faults.push(parsed.data);
    ctx.status = 201;
    ctx.body = parsed.data;
  });
  router.get('/stream-faults', (ctx) => {
    ctx.body = state.stream_faults;
  });
  router.delete('/stream-faults', (ctx) => {
    state.stream_faults.length = 0;
    ctx.status = 204;
  });
  router.get('/answers', (ctx) => {
    ctx.body = state.answers;
  });
  return router;
}
