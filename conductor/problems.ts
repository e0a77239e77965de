import type { Logger } from 'pino';
import { SpoqError } from '../contract/errors.ts';
import { toProblem } from '../contract/problem.ts';
import type { Middleware } from './web.ts';

/** Answers what is thrown as `application/problem+json`. What isn't a SpoqError is a bug: logged, and told as 500. */
export function createProblemWriter(log: Logger): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const failure = error instanceof SpoqError ? error : new SpoqError('internal');
      if (failure !== error) log.error({ request_id: ctx.state.requestId, ...describeBug(error) }, 'bug');
      ctx.state.notes['code'] = failure.code;
      if (failure.detail !== undefined) ctx.state.notes['reason'] = failure.detail;
      ctx.status = failure.status;
      ctx.body = toProblem(failure, ctx.state.requestId);
      ctx.type = 'application/problem+json';
      if (failure.retryAfterSeconds !== undefined) ctx.set('retry-after', String(Math.ceil(failure.retryAfterSeconds)));
    }
  };
}

/** Name and stack only: errors of the model's client carry the whole question in their properties. */
export function describeBug(error: unknown): { error: string; stack?: string | undefined } {
  return error instanceof Error ? { error: error.name, stack: error.stack } : { error: typeof error };
}
