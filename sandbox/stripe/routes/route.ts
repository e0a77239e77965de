import type { z } from 'zod';
import type { FormObject } from '../form.ts';
import { parseParams } from '../params.ts';

export type Method = 'get' | 'post' | 'delete';

/** One operation of the API: parameters in, the object that is answered out. Throws StripeError. */
export interface Route {
  method: Method;
  path: string;
  run(form: FormObject, ids: Record<string, string>): object;
}

/** Ties an operation to its path and to the parameters that it takes; `ids` are the names in the path. */
export function defineRoute<T>(
  method: Method,
  path: string,
  schema: z.ZodType<T>,
  handle: (params: T, ids: Record<string, string>) => object,
): Route {
  return { method, path, run: (form, ids) => handle(parseParams(schema, form), ids) };
}
