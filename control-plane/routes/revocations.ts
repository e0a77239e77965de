import { Router } from '@koa/router';
import { SpoqError } from '../../contract/errors.ts';
import { signRevocations } from '../commands/sign-revocations.ts';
import type { Deps } from '../deps.ts';

const NAME = /^([a-z0-9.-]{1,253})\.jwt$/;

/** What each box refuses although it can't see why: a signed list that it fetches twice a minute. */
export function createRevocationRoutes(deps: Pick<Deps, 'cipher' | 'config' | 'db' | 'now'>): Router {
  const router = new Router();
  router.get('/.well-known/revocations/:file', async (ctx) => {
    const hostname = NAME.exec(ctx.params['file'] ?? '')?.[1];
    const list = hostname === undefined ? undefined : await signRevocations(deps, hostname);
    if (list === undefined) throw new SpoqError('not_found', { detail: 'There is no box of this name.' });
    // A list that lay in a cache would let in who was signed out meanwhile.
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'application/revocations+jwt';
    ctx.body = list;
  });
  return router;
}
