import { Router } from '@koa/router';
import type { Middleware, ParameterizedContext } from 'koa';
import type { Clock } from '../clock.ts';
import { inventHex } from '../keys.ts';
import type { RequestState } from '../parse-body.ts';
import { describeEmails, describeUser } from './describe-user.ts';
import type { Person } from './people.ts';
import type { GithubState } from './state.ts';

type Context = ParameterizedContext<RequestState>;

/** Requests an hour that GitHub allows to one user. */
const HOURLY_LIMIT = 5000;
const HOUR_MS = 3_600_000;
const DOCS = 'https://docs.github.com/rest';
const VERSIONS = ['2022-11-28', '2026-03-10'];

interface Access {
  person: Person;
  scopes: string[];
}

/** api.github.com: /user, /user/emails and /user/keys, with its demands on headers and its rate limit. */
export function createApiRoutes(deps: { state: GithubState; clock: Clock; url: () => string }): Router<RequestState> {
  const { state } = deps;
  const router = new Router<RequestState>();
  const limit = createRateLimit(deps.clock);
  const answer =
    (accepted: string[], describe: (access: Access) => unknown): Middleware<RequestState> =>
    (ctx) => {
      ctx.set({ 'x-github-media-type': 'github.v3; format=json', 'x-github-request-id': inventHex(20).toUpperCase() });
      const access = admit(ctx, state);
      if (access === undefined || !limit(ctx, access.person.id)) return;
      ctx.set({ 'x-oauth-scopes': access.scopes.join(', '), 'x-accepted-oauth-scopes': accepted.join(', ') });
      // A token without the scope isn't told that there is something.
      if (accepted.length > 0 && !accepted.some((scope) => access.scopes.includes(scope)))
        return refuse(ctx, 404, 'Not Found');
      ctx.body = describe(access);
    };
  router.get(
    '/user',
    answer([], ({ person, scopes }) => {
      return describeUser(person, deps.url(), scopes.includes('user') || scopes.includes('read:user'));
    }),
  );
  router.get(
    '/user/emails',
    answer(['user', 'user:email'], ({ person }) => describeEmails(person)),
  );
  router.get(
    '/user/keys',
    answer(['admin:public_key', 'read:public_key', 'write:public_key'], () => []),
  );
  return router;
}

/** Checks the headers of a request and finds whose token it carries; answers the refusal itself. */
function admit(ctx: Context, state: GithubState): Access | undefined {
  if (ctx.get('user-agent') === '') {
    ctx.status = 403;
    ctx.body =
      'Request forbidden by administrative rules. Please make sure your request has a User-Agent header ' +
      '(https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). ' +
      'Check https://developer.github.com for other possible causes.\n';
    return undefined;
  }
  const version = ctx.get('x-github-api-version');
  if (version !== '' && !VERSIONS.includes(version)) {
    refuse(ctx, 400, `"${version.slice(0, 20)}" is not a supported API version`);
    return undefined;
  }
  const token = /^(?:Bearer|token) +(\S+)$/i.exec(ctx.get('authorization'))?.[1];
  const grant = token === undefined ? undefined : state.tokens[token];
  const person = state.people.find((one) => one.id === grant?.person);
  if (grant === undefined || person === undefined) {
    refuse(ctx, 401, token === undefined ? 'Requires authentication' : 'Bad credentials');
    return undefined;
  }
  return { person, scopes: grant.scope.split(',').filter((scope) => scope !== '') };
}

function refuse(ctx: Context, status: number, message: string): void {
  ctx.status = status;
  ctx.body = { message, documentation_url: DOCS, status: String(status) };
}

/** Counts per person and hour, and says so in headers; beyond the limit answers 403 and false. */
function createRateLimit(clock: Clock): (ctx: Context, person: number) => boolean {
  const windows = new Map<number, { used: number; reset: number }>();
  return (ctx, person) => {
    const now = clock.now().getTime();
    const known = windows.get(person);
    const window = known !== undefined && known.reset > now ? known : { used: 0, reset: now + HOUR_MS };
    windows.set(person, window);
    const isAllowed = window.used < HOURLY_LIMIT;
    if (isAllowed) window.used += 1;
    ctx.set({
      'x-ratelimit-limit': String(HOURLY_LIMIT),
      'x-ratelimit-remaining': String(HOURLY_LIMIT - window.used),
      'x-ratelimit-used': String(window.used),
      'x-ratelimit-reset': String(Math.ceil(window.reset / 1000)),
      'x-ratelimit-resource': 'core',
    });
    if (!isAllowed) refuse(ctx, 403, `API rate limit exceeded for user ID ${person}.`);
    return isAllowed;
  };
}
