import type { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { asUnreachable } from '../http/failure.ts';
import { parseJson } from '../http/problem.ts';
import { callBox } from './connection.ts';
import type { BoxAccess, BoxRequest } from './connection.ts';
import type { OnWait } from './patience.ts';
import { readWhole } from './read-whole.ts';

/** Asks the box and reads its JSON. Throws what the box answers, and `box_unreachable` when it isn't what a box says. */
export async function fetchJson<T extends z.ZodType>(
  deps: CliDeps,
  box: BoxAccess,
  request: Omit<BoxRequest, 'accept'>,
  schema: T,
  onWait: OnWait,
): Promise<z.output<T>> {
  const given = { ...request, accept: 'application/json' };
  const mayRepeat = request.repeatable ?? request.method === 'GET';
  const text = mayRepeat ? String(await readWhole(deps, box, given, onWait)) : await readOnce(deps, box, given, onWait);
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SpoqError('box_unreachable', { detail: `${box.url.hostname} answered, but not as a box does.` });
}

async function readOnce(deps: CliDeps, box: BoxAccess, request: BoxRequest, onWait: OnWait): Promise<string> {
  const response = await callBox(deps, box, request, onWait);
  return response.text().catch((error: unknown) => {
    throw asUnreachable('box_unreachable', error);
  });
}
