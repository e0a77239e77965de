import { z } from 'zod';
import { SpoqError } from './errors.ts';

/** RFC 9457 problem details, with our stable `code`, the next step and every fault of the input. */
export const Problem = z.object({
  type: z.string().describe('A URI reference that names the kind of problem: /problems#<code>'),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
  instance: z.string().optional().describe('The request id, for support'),
  next_step: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

/** The wire form of an expected failure. `requestId` becomes `instance`. */
export function toProblem(error: SpoqError, requestId?: string): Problem {
  return {
    type: `/problems#${error.code}`,
    title: error.title,
    status: error.status,
    code: error.code,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(requestId === undefined ? {} : { instance: requestId }),
    next_step: error.next,
    ...(error.faults.length === 0 ? {} : { errors: error.faults }),
  };
}

/** Parses `value`, or throws `invalid_request` naming every fault at once. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new SpoqError('invalid_request', {
    faults: result.error.issues.map((issue) => ({ field: issue.path.join('.') || 'body', message: issue.message })),
  });
}
