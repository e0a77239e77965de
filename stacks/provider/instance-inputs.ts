import { z } from 'zod';
import { PROVIDERS, type ProviderName } from '../../contract/vps.ts';
import type { InstanceOrder } from '../vendors/vendor.ts';
import { type Properties, UNKNOWN, unwrapBag } from './values.ts';

/** Hostinger's limit of a post-install script. */
const HOSTINGER_SCRIPT_BYTES = 48 * 1024;

const Inputs = z.object({
  provider: z.enum(PROVIDERS, { error: `is not one of ${PROVIDERS.join(', ')}` }),
  name: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,63}$/, 'holds something other than letters, digits and dashes, or more than 63 of them'),
  domain: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'is not a domain'),
  region: z.string().min(1, 'is empty'),
  product: z.string().min(1, 'is empty'),
  image: z.string().min(1, 'is empty').optional(),
  userData: z.string().min(1, 'is empty'),
  restart: z.number().int().positive().optional(),
  install: z.number().int().positive().optional(),
  stop: z.number().int().positive().optional(),
});

export interface CheckFailure {
  property: string;
  reason: string;
}

/** Every fault of the inputs at once. What isn't known yet (during a preview) can't be wrong. */
export function checkInstance(news: unknown): CheckFailure[] {
  const bag = unwrapBag(news);
  const failures: CheckFailure[] = Object.keys(bag)
    .filter((key) => !(key in Inputs.shape))
    .map((key) => ({ property: key, reason: 'is not an input of an instance' }));
  for (const [key, schema] of Object.entries(Inputs.shape)) {
    const value = bag[key];
    if (value === UNKNOWN) continue;
    const result = schema.safeParse(value);
    if (!result.success)
      failures.push({
        property: key,
        reason: value === undefined ? 'is missing' : (result.error.issues[0]?.message ?? 'is wrong'),
      });
  }
  const { provider, userData } = bag;
  if (provider === 'contabo' && typeof userData === 'string' && !userData.startsWith('#cloud-config\n'))
    failures.push({ property: 'userData', reason: 'does not begin with #cloud-config' });
  if (provider === 'hostinger' && typeof userData === 'string') {
    const bytes = Buffer.byteLength(userData);
    if (bytes >= HOSTINGER_SCRIPT_BYTES)
      failures.push({
        property: 'userData',
        reason: `has ${bytes} bytes; Hostinger takes fewer than ${HOSTINGER_SCRIPT_BYTES}`,
      });
    if (!userData.startsWith('#!')) failures.push({ property: 'userData', reason: 'is not a script' });
  }
  return failures;
}

/** A change of one of these means another machine; neither vendor can move or resize one in place as we buy them. */
const REPLACING = ['provider', 'region', 'product'] as const;
/** A change of one of these is carried out on the machine. */
const UPDATING = ['name', 'domain'] as const;

/** Something to be done once to a machine that is there, with the number of the operation that it belongs to. */
export type Act = { name: 'restart' | 'install'; number: number } | { name: 'stop'; number: number };

/** What the inputs wish for that hasn't been carried out. A new machine has nothing to make up for. */
export function findAct(olds: unknown, news: unknown): Act | undefined {
  const { install, restart, stop } = unwrapBag(news);
  const { lastOperation, lastStop } = unwrapBag(olds);
  if (typeof stop === 'number') return stop === lastStop ? undefined : { name: 'stop', number: stop };
  const number = install ?? restart;
  if (typeof number !== 'number' || number === lastOperation) return undefined;
  return { name: install === undefined ? 'restart' : 'install', number };
}

export interface InstanceDiff {
  changes: boolean;
  replaces: string[];
  /** The new machine carries the old one's name, so the old one must have given it up first. */
  deleteBeforeReplace: true;
}

/**
 * What differs between the machine and what is wanted. `userData` and `image` are read when a machine is installed and never
 * again: a change of them is no change here, for applying it would mean to wipe the customer's disk. Only an `install` that is
 * wished for does.
 */
export function diffInstance(olds: unknown, news: unknown): InstanceDiff {
  const [before, after] = [unwrapBag(olds), unwrapBag(news)];
  const differs = (key: string) => before[key] !== after[key];
  const replaces = REPLACING.filter(differs);
  const changes = replaces.length > 0 || UPDATING.some(differs) || findAct(olds, news) !== undefined;
  return { changes, replaces, deleteBeforeReplace: true };
}

/** The order behind checked inputs. */
export function parseOrder(inputs: unknown): InstanceOrder & { provider: ProviderName } {
  return Inputs.parse(unwrapBag(inputs));
}

/** The inputs that are kept as outputs: all but the secret user data, which the inputs hold already, and wishes. */
export function keepInputs(inputs: unknown): Properties {
  const { userData: _, restart: _restart, install: _install, stop: _stop, ...kept } = unwrapBag(inputs);
  return kept;
}

/**
 * The operations that the inputs belong to, or the last that were carried out. Switching off has a number of its own: whatever waits for
 * the box to answer after an operation has nothing to wait for then.
 */
export function readOperations(olds: unknown, news: unknown): { lastOperation: number; lastStop: number } {
  const { install, restart, stop } = unwrapBag(news);
  const before = unwrapBag(olds);
  const toNumber = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    lastOperation: toNumber(install ?? restart ?? before['lastOperation']),
    lastStop: toNumber(stop ?? before['lastStop']),
  };
}
