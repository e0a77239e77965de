import { ERRORS, SpoqError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { Problem } from '../../contract/problem.ts';
import type { HttpResponse } from './client.ts';

/**
 * Reads an answer that isn't 2xx as an expected failure. `unreachable` is the code for answers that didn't come from
 * Spoq but from something before it (a proxy, a hotel's login page), `host` the name that was asked.
 */
export async function readProblem(response: HttpResponse, unreachable: ErrorCode, host: string): Promise<SpoqError> {
  const problem = Problem.safeParse(parseJson(await response.text()));
  if (!problem.success) {
    return new SpoqError(unreachable, { detail: `${host} answered ${response.status}, and not as Spoq does.` });
  }
  const { code, title, detail, instance, next_step: next, errors } = problem.data;
  const retryAfter = Number(response.header('retry-after'));
  // The title of a code that is known is said anyway.
  const words = detail ?? (isErrorCode(code) ? undefined : title);
  return new SpoqError(isErrorCode(code) ? code : guessCode(response.status), {
    detail: instance === undefined ? words : [words, `(request ${instance})`].filter(Boolean).join(' '),
    next,
    faults: errors ?? [],
    ...(Number.isFinite(retryAfter) && retryAfter > 0 ? { retryAfterSeconds: retryAfter } : {}),
  });
}

/** True for the codes of the table in `contract/errors.ts`. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** Parses JSON; `undefined` when it isn't. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A newer server may know codes that this program doesn't. */
function guessCode(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 429) return 'too_many_requests';
  return status >= 500 ? 'upstream_failed' : 'invalid_request';
}
