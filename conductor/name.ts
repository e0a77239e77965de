import { Resolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { SpoqError } from '../contract/errors.ts';

export interface NameOptions {
  hostname: string;
  /** The IPv4 addresses of this machine. */
  addresses: readonly string[];
  /** How long to go on asking. 0 asks once. */
  waitMs: number;
  /** Where a name leads to. Rejects when nobody can say. */
  find(hostname: string): Promise<string[]>;
  /** Told each time that the answer is another one than before. */
  say(sentence: string): void;
}

const PAUSE_MS = 1_000;
const TRY_MS = 2_000;
/** What only a network behind a router has (RFC 1918, RFC 6598). */
const PRIVATE = /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;

/** Waits until the name of this box leads to this machine, and says so. Throws `not_ready` when the time is over. */
export async function awaitName({ hostname, addresses, waitMs, find, say }: NameOptions): Promise<string> {
  const deadline = performance.now() + waitMs;
  const own = addresses.filter((address) => !PRIVATE.test(address));
  for (let last = ''; ; await wait(PAUSE_MS)) {
    const found = await find(hostname).catch((cause: unknown) => cause);
    // Behind a router nobody here knows the address outside: that there is one has to do.
    if (Array.isArray(found) && (own.length === 0 ? found.length > 0 : found.some((one) => own.includes(one))))
      return `${hostname} leads here`;
    const state = describe(hostname, found, own);
    if (performance.now() >= deadline)
      throw new SpoqError('not_ready', { detail: state, next: `Its A record must be ${own.join(' or ') || 'set'}.` });
    if (state !== last) say(`waiting, since ${state}`);
    last = state;
  }
}

function describe(hostname: string, found: unknown, own: readonly string[]): string {
  if (!Array.isArray(found)) return `nobody can say where ${hostname} leads to (${codeOf(found)})`;
  if (found.length === 0) return `${hostname} has no address yet`;
  return `${hostname} leads to ${found.join(', ')}, which is not this machine (${own.join(', ')})`;
}

/** This machine's IPv4 addresses, but not the loopback's. */
export function listAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address);
}

/**
 * Where a name leads to by the name servers of its own zone. Nobody else is asked: this machine's resolver reads /etc/hosts, where the
 * name stands for the machine, and any resolver remembers for up to half an hour (Cloudflare's SOA) that a name was not there.
 */
export async function findAddresses(hostname: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: TRY_MS, tries: 1 });
  const servers = await findNameServers(resolver, hostname);
  // Without any, as in a network that is closed, the resolver has to do.
  if (servers.length > 0) resolver.setServers(servers);
  return emptyIfNone(resolver.resolve4(hostname));
}

/** Their addresses. The name itself is not asked for: that it isn't there would be remembered. */
async function findNameServers(resolver: Resolver, hostname: string): Promise<string[]> {
  const labels = hostname.split('.');
  for (let from = 1; from < labels.length - 1; from += 1) {
    const names = await resolver.resolveNs(labels.slice(from).join('.')).catch(() => []);
    const found = await Promise.all(names.map((name) => resolver.resolve4(name).catch(() => [])));
    if (found.flat().length > 0) return found.flat();
  }
  return [];
}

/** Node says ENODATA where bun says ENOTFOUND. */
async function emptyIfNone(lookup: Promise<string[]>): Promise<string[]> {
  return lookup.catch((error: unknown) => {
    if (['ENOTFOUND', 'ENODATA'].includes(codeOf(error))) return [];
    throw error;
  });
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
