import { z } from 'zod';
import { refuseParam, type StripeError } from './errors.ts';
import type { FormObject } from './form.ts';

export const text = z.string().max(5000);
export const integer = z
  .string()
  .regex(/^-?\d{1,15}$/, 'integer')
  .transform(Number);
export const flag = z.enum(['true', 'false'], 'boolean').transform((value) => value === 'true');
/** Up to 50 keys of 40 characters with values of 500; an empty value removes the key. */
export const metadata = z.union([
  z.record(z.string().max(40), z.string().max(500)).refine((value) => Object.keys(value).length <= 50),
  z.literal('').transform(() => ({})),
]);
/** `created[gte]=…`, or one exact time. */
export const range = z.union([
  integer.transform((value) => ({ gte: value, lte: value })),
  z.strictObject({ gt: integer.optional(), gte: integer.optional(), lt: integer.optional(), lte: integer.optional() }),
]);
export type Range = z.infer<typeof range>;

/** Known to every request. */
export const common = { expand: z.array(z.string()).max(20).optional() };
/** Known to every list. */
export const paging = {
  ...common,
  limit: integer.pipe(z.number().int().min(1).max(100)).optional(),
  starting_after: z.string().optional(),
  ending_before: z.string().optional(),
};

/** Checks a request's parameters. Throws StripeError for the first fault, with Stripe's code, wording and `param`. */
export function parseParams<T>(schema: z.ZodType<T>, form: FormObject): T {
  const parsed = schema.safeParse(form);
  if (parsed.success) return parsed.data;
  const unknown = parsed.error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown !== undefined) {
    const names = unknown.keys.map((key) => nameParam([...unknown.path, key]));
    const words = names.length === 1 ? 'unknown parameter' : 'unknown parameters';
    // The sandbox knows the parameters it acts on; one it would only ignore is refused rather than passed over.
    throw refuseParam(`Received ${words}: ${names.join(', ')}`, names[0], 'parameter_unknown');
  }
  throw describeIssue(parsed.error.issues[0], form);
}

function describeIssue(issue: z.core.$ZodIssue | undefined, form: FormObject): StripeError {
  const param = nameParam(issue?.path ?? []);
  const value = readAt(form, issue?.path ?? []);
  if (value === undefined) return refuseParam(`Missing required param: ${param}.`, param, 'parameter_missing');
  if (issue?.message === 'integer')
    return refuseParam(`Invalid integer: ${String(value)}`, param, 'parameter_invalid_integer');
  if (issue?.message === 'boolean') return refuseParam(`Invalid boolean: ${String(value)}`, param);
  if (value === '') return refuseParam(`You passed an empty string for '${param}'.`, param, 'parameter_invalid_empty');
  return refuseParam(`Invalid ${param}: ${issue?.message ?? 'not valid'}`, param);
}

function nameParam(path: PropertyKey[]): string {
  return path.map((key, index) => (index === 0 ? String(key) : `[${String(key)}]`)).join('');
}

function readAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

/** Merges metadata as Stripe does: an empty value removes its key. */
export function mergeMetadata(
  present: Record<string, string>,
  changes: Record<string, string> | undefined,
): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...present, ...changes }).filter(([, value]) => value !== ''));
}
