import { once } from 'node:events';
import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import type { Channel } from './channel.ts';
import { ProtocolError } from './frames.ts';
import { joinSocket } from './join-socket.ts';
import { ConnectRequest } from './protocol.ts';
import type { ConnectRule } from './workplace.ts';

const CONNECT_MS = 15_000;

/** Why a connection is not made. The text is for who asked. */
export class EgressError extends Error {
  override readonly name = 'EgressError';
  readonly kind: 'denied' | 'failed';

  constructor(kind: 'denied' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export type Resolve = (host: string) => Promise<string[]>;
/** A connection to a host of the internet, and to nothing else. Throws EgressError. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Socket>;

/** All addresses of a name, as programs of this machine find them: a decimal or octal number is one too. */
export const resolveName: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** The addresses of this machine, public ones included: what listens there is not for runs. */
export function listOwnAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
}

/** Whether it is an address of the internet that isn't this machine's. Anything that isn't plainly one is refused. */
export function isPublicAddress(address: string, own: readonly string[] = listOwnAddresses()): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.process(address); // IPv4 in IPv6 counts as what it is
  // Loopback, private, link-local (metadata), shared, multicast, reserved, documentation, NAT64, 6to4 and Teredo have other ranges.
  if (parsed.range() !== 'unicast') return false;
  // All that is given out of IPv6 (RFC 4291 §2.4, IANA).
  if (parsed.kind() === 'ipv6' && !parsed.match(ipaddr.parseCIDR('2000::/3'))) return false;
  const isSame = (other: string): boolean =>
    ipaddr.isValid(other) && ipaddr.process(other).toNormalizedString() === parsed.toNormalizedString();
  return !own.some(isSame);
}

/** The addresses that may be dialled for a host; never none. Throws EgressError. */
export async function resolvePublic(host: string, resolve: Resolve = resolveName): Promise<string[]> {
  let addresses: string[];
  try {
    addresses = await resolve(host);
  } catch (cause) {
    throw new EgressError('failed', `${host} has no address that can be found.`, { cause });
  }
  const own = listOwnAddresses();
  // One bad address among good ones is a trick, or a mistake that would be met by chance.
  if (addresses.length === 0 || !addresses.every((address) => isPublicAddress(address, own)))
    throw new EgressError('denied', `${host} is not a host of the internet: runs reach nothing else.`);
  return addresses;
}

/** Dials the address that was checked, so that no second look-up can answer another. */
export function createDial(resolve: Resolve = resolveName): Dial {
  return async (host, port, signal) => {
    const [address = ''] = await resolvePublic(host, resolve);
    return dialAddress(address, port, signal);
  };
}

export async function dialAddress(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: address, port });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  try {
    await once(socket, 'connect', { signal: limit });
    return socket;
  } catch (cause) {
    socket.on('error', () => undefined);
    socket.destroy();
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer';
    throw new EgressError('failed', `${address}:${port} could not be reached (${reason}).`, { cause });
  }
}

/** Takes what a run asks for: a connection by rule, dialled here, carried over its channel. */
export function createEgress(deps: { decide: ConnectRule; dial: Dial }): (channel: Channel, message: unknown) => void {
  return (channel, message) => {
    const { data } = ConnectRequest.safeParse(message);
    if (data === undefined) throw new ProtocolError('a request that makes no sense');
    void carry(deps, channel, data.host, data.port);
  };
}

async function carry(
  { decide, dial }: { decide: ConnectRule; dial: Dial },
  channel: Channel,
  host: string,
  port: number,
): Promise<void> {
  let socket: Socket | undefined;
  try {
    if ((await decide(host, port)) !== 'allow')
      return channel.close({ denied: `The rules of this run do not allow ${host}:${port}.` });
    socket = await dial(host, port, channel.over);
    channel.tell({ connected: true });
    await joinSocket(socket, channel);
    channel.close();
  } catch (error) {
    if (error instanceof EgressError) channel.close({ [error.kind]: error.message });
    else channel.close({ failed: 'The connection broke.' });
  } finally {
    socket?.destroy();
  }
}
