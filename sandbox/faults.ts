import { z } from 'zod';
import { HTTP_VENDOR_NAMES, type VendorName } from './vendor.ts';

/** How a vendor is told to fail: what it matches, when, and what happens instead of (or around) the answer. */
export const FaultRequest = z.strictObject({
  vendor: z.enum(HTTP_VENDOR_NAMES),
  method: z.string().toUpperCase().optional(),
  path: z
    .string()
    .refine(isPattern, 'is not a regular expression')
    .optional()
    .describe('Regular expression, unanchored'),
  times: z.number().int().min(0).default(1).describe('How many matches fail; 0: all until it is removed'),
  after: z.number().int().min(0).default(0).describe('How many matches pass first'),
  status: z.number().int().min(200).max(599).optional().describe('Answered instead of the vendor acting'),
  body: z.unknown().optional().describe("That answer's body: text as it is, anything else as JSON"),
  headers: z.record(z.string(), z.string()).optional(),
  delay_ms: z.number().min(0).max(600_000).optional().describe('Alone: slow but right'),
  hold_ms: z
    .number()
    .min(0)
    .max(600_000)
    .optional()
    .describe('The vendor acts at once and answers so much later: what happens in between finds it done and untold'),
  cut: z
    .enum(['before', 'during', 'after'])
    .optional()
    .describe(
      "Closes the socket: before the vendor acts, after its answer's first chunk, or when it acted, unanswered",
    ),
  becomes: z
    .string()
    .optional()
    .describe('The vendor acts and answers, but what it makes ends so: a state, as each vendor lists them'),
});
export type FaultRequest = z.input<typeof FaultRequest>;

export interface Fault extends z.output<typeof FaultRequest> {
  id: string;
  /** How many requests have matched, failed or not. */
  matched: number;
  /** How many have failed. */
  hits: number;
}

export interface Faults {
  /** Throws zod's error when the request isn't a fault. */
  add(request: FaultRequest): Fault;
  /** Answers whether there was one. */
  remove(id: string): boolean;
  clear(): void;
  list(): Fault[];
  /** Counts the request against the first fault that matches and is not used up; answers it when it strikes now. */
  take(vendor: VendorName, method: string, path: string): Fault | undefined;
}

/** Faults live in memory only: a restarted sandbox is a healthy one. */
export function createFaults(): Faults {
  const faults = new Map<string, Fault>();
  let last = 0;
  return {
    add(request) {
      last += 1;
      const fault = { ...FaultRequest.parse(request), id: `fault-${last}`, matched: 0, hits: 0 };
      faults.set(fault.id, fault);
      return fault;
    },
    remove: (id) => faults.delete(id),
    clear: () => faults.clear(),
    list: () => [...faults.values()].map((fault) => ({ ...fault })),
    take(vendor, method, path) {
      const fault = [...faults.values()].find((one) => !isUsedUp(one) && matches(one, vendor, method, path));
      if (!fault) return undefined;
      fault.matched += 1;
      if (fault.matched <= fault.after) return undefined;
      fault.hits += 1;
      return fault;
    },
  };
}

function isUsedUp(fault: Fault): boolean {
  return fault.times > 0 && fault.hits >= fault.times;
}

function matches(fault: Fault, vendor: VendorName, method: string, path: string): boolean {
  return (
    fault.vendor === vendor &&
    (fault.method === undefined || fault.method === method) &&
    (fault.path === undefined || new RegExp(fault.path).test(path))
  );
}

function isPattern(source: string): boolean {
  try {
    return Boolean(new RegExp(source));
  } catch {
    return false;
  }
}
