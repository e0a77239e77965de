import { Router } from '@koa/router';
import { z } from 'zod';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { findPerson, isLogin } from './people.ts';
import type { GithubState } from './state.ts';

const PersonChanges = z.strictObject({
  login: z.string().refine(isLogin, 'is not a login').optional(),
  name: z.string().nullable().optional(),
  public_email: z.email().nullable().optional(),
  emails: z.array(z.strictObject({ email: z.email(), primary: z.boolean(), verified: z.boolean() })).optional(),
});
const Callback = z.strictObject({ url: z.url({ protocol: /^https?$/ }) });

/**
 * What only a sandboxed GitHub has, as JSON under /_sandbox on its own port:
 * - PATCH /_sandbox/people/:login `{login?, name?, public_email?, emails?}`: people rename themselves
 * - POST /_sandbox/callbacks `{url}`: registers a redirect_uri other than loopback
 * - DELETE /_sandbox/tokens: takes every token back, as people can in their settings
 */
export function createGithubControl(store: Store<GithubState>): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/_sandbox' });
  router.patch('/people/:login', (ctx) => {
    const person = findPerson(store.data.people, String(ctx.params['login']));
    if (person === undefined) return;
    const changes = PersonChanges.safeParse(ctx.state.body);
    if (!changes.success) ctx.throw(400, z.prettifyError(changes.error));
    store.update(() => Object.assign(person, changes.data));
    ctx.body = person;
  });
  router.post('/callbacks', (ctx) => {
    const callback = Callback.safeParse(ctx.state.body);
    if (!callback.success) return ctx.throw(400, z.prettifyError(callback.error));
    store.update((state) => state.callbacks.push(callback.data.url));
    ctx.status = 204;
  });
  router.delete('/tokens', (ctx) => {
    store.update((state) => {
      state.tokens = {};
    });
    ctx.status = 204;
  });
  return router;
}
