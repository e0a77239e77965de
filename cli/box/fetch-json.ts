import type { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { asUnreachable } from '../http/failure.ts';
import { parseJson } from '../http/problem.ts';
import { callBox } from './connection.ts';
import type { BoxAccess, BoxRequest } from './connection.ts';
import type { OnWait } from './patience.ts';

/** Asks the box and reads its JSON. Throws what the box answers, and `box_unreachable` when it isn't what a box says. */
export async function fetchJson<T extends z.ZodType>(
  deps: CliDeps,
  box: BoxAccess,
  request: Omit<BoxRequest, 'accept'>,
  schema: T,
  onWait: OnWait,
): Promise<z.output<T>> {
  const response = await callBox(deps, box, { ...request, accept: 'application/json' }, onWait);
  const text = await response.text().catch((error: unknown) => {
    throw asUnreachable('box_unreachable', error);
  });
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SpoqError('box_unreachable', { detail: `${box.url.hostname} answered, but not as a box does.` });
}
