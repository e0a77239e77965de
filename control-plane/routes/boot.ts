import { Router } from '@koa/router';
import type { z } from 'zod';
import { BOOT_REPORTS_PATH, BootReport } from '../../contract/boot.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { findReporter, recordBootReport } from '../commands/record-boot-report.ts';
import type { Deps } from '../deps.ts';
import { createBodyMiddleware, getBody } from '../middleware/body.ts';
import { createRateLimiter, limitByAddress } from '../middleware/rate-limit.ts';

/** Where a new machine tells how its set-up comes along. */
export function createBootRoutes(deps: Deps): Router {
  const router = new Router();
  router.post(
    BOOT_REPORTS_PATH,
    limitByAddress(createRateLimiter(deps, 'boot-report')),
    // Logs hold whatever a program says; trimLog cleans them.
    createBodyMiddleware({ anyText: true }),
    async (ctx) => {
      const token = /^Bearer (\S{1,300})$/i.exec(ctx.get('Authorization'))?.[1];
      if (token === undefined)
        throw new SpoqError('token_missing', {
          detail: 'A boot token is missing.',
          next: 'Only a machine that is being set up reports here.',
        });
      const boxId = await findReporter(deps, token);
      await recordBootReport(deps, boxId, parseInput<z.output<typeof BootReport>>(BootReport, getBody(ctx)));
      ctx.status = 204;
    },
  );
  return router;
}
