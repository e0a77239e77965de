import type { z } from 'zod';
import type { BoxHealth } from '../../contract/conductor.ts';
import type { Middleware } from '../web.ts';

/** GET /health: that this conductor answers, and which version it is. */
export function showHealth(version: string): Middleware {
  return (ctx) => {
    ctx.body = { status: 'ok', version } satisfies z.infer<typeof BoxHealth>;
  };
}
