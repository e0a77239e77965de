import { Router } from '@koa/router';
import type { ParameterizedContext } from 'koa';
import type { Clock } from '../clock.ts';
import type { Pages } from '../pages.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { createAnswerUrl, findFault, isRegisteredCallback, issueCode, readAuthorizeRequest } from './authorize.ts';
import type { AuthorizeRequest } from './authorize.ts';
import { drawAvatar } from './describe-user.ts';
import { createPerson, findPerson, isLogin } from './people.ts';
import type { GithubState } from './state.ts';
import { readTokenRequest, redeemCode } from './token.ts';

type Context = ParameterizedContext<RequestState>;

interface WebDeps {
  store: Store<GithubState>;
  clock: Clock;
  pages: Pages;
}

const DENIED = {
  error: 'access_denied',
  error_description: 'The user has denied your application access.',
  error_uri:
    'https://docs.github.com/apps/managing-oauth-apps/troubleshooting-authorization-request-errors/#access-denied',
};

/** github.com: the authorize page (GET shows, POST decides), the token endpoint, and pictures of people. */
export function createWebRoutes(deps: WebDeps): Router<RequestState> {
  const { store, clock } = deps;
  const router = new Router<RequestState>();
  router.get('/login/oauth/authorize', (ctx) => {
    const request = admit(deps, ctx, new URLSearchParams(ctx.querystring));
    if (request !== undefined) showPeople(deps, ctx, request);
  });
  router.post('/login/oauth/authorize', (ctx) => {
    const request = admit(deps, ctx, new URLSearchParams(ctx.querystring));
    if (request === undefined) return;
    const form = ctx.state.body instanceof URLSearchParams ? ctx.state.body : new URLSearchParams();
    if (form.has('deny')) return redirect(ctx, createAnswerUrl(request, DENIED));
    const login = (form.get('login') || form.get('other') || '').trim();
    if (!isLogin(login)) {
      const problem = 'A login has letters, digits and single hyphens, 39 characters at most.';
      ctx.status = 422;
      return showPeople(deps, ctx, request, { other: login, problem });
    }
    const code = store.update((state) => {
      const person = findPerson(state.people, login) ?? createPerson(state.people, login);
      if (!state.people.includes(person)) state.people.push(person);
      return issueCode(state, request, person.id, clock.now().getTime());
    });
    redirect(ctx, createAnswerUrl(request, { code }));
  });
  router.post('/login/oauth/access_token', (ctx) => {
    const request = readTokenRequest(ctx.state.body, new URLSearchParams(ctx.querystring), ctx.get('authorization'));
    const answer = store.update((state) => redeemCode(state, request, clock.now().getTime()));
    ctx.set('cache-control', 'no-store');
    if (ctx.accepts('application/x-www-form-urlencoded', 'application/json') === 'application/json') ctx.body = answer;
    else {
      ctx.body = new URLSearchParams(answer).toString();
      ctx.type = 'application/x-www-form-urlencoded; charset=utf-8';
    }
  });
  router.get('/avatars/u/:id', (ctx) => {
    const person = store.data.people.find((one) => String(one.id) === ctx.params['id']);
    if (person === undefined) return;
    ctx.type = 'image/svg+xml';
    ctx.set('cache-control', 'max-age=300');
    ctx.body = drawAvatar(person);
  });
  return router;
}

/** Checks a request before anybody is asked; shows or redirects what is wrong with it. */
function admit({ store, pages }: WebDeps, ctx: Context, query: URLSearchParams): AuthorizeRequest | undefined {
  const request = readAuthorizeRequest(query);
  // These two are shown here: an address that isn't the app's must not be sent anything.
  const problem =
    request.client_id !== store.data.client_id
      ? 'No app has this client_id.'
      : request.redirect_uri === null || !isRegisteredCallback(store.data, request.redirect_uri)
        ? "The redirect_uri is not among the app's callbacks."
        : undefined;
  if (problem !== undefined) {
    ctx.status = 404;
    ctx.body = pages.render('github/refused', { problem });
    ctx.type = 'html';
    return undefined;
  }
  const fault = findFault(request);
  if (fault === undefined) return request;
  redirect(ctx, createAnswerUrl(request, { error: fault.error, error_description: fault.description }));
  return undefined;
}

function showPeople(
  { store, pages }: WebDeps,
  ctx: Context,
  request: AuthorizeRequest,
  attempt: { other: string; problem?: string } = { other: request.login ?? '' },
): void {
  ctx.set('cache-control', 'no-store');
  ctx.body = pages.render('github/authorize', {
    ...attempt,
    people: store.data.people,
    scopes: request.scope.split(/[\s,]+/).filter((scope) => scope !== ''),
    back: new URL(request.redirect_uri ?? '').origin,
  });
  ctx.type = 'html';
}

function redirect(ctx: Context, url: string): void {
  ctx.status = 302;
  ctx.set('location', url);
}
