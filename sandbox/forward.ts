import { connect } from 'node:net';
import { join, serveTcp } from './tcp.ts';

export interface Forward {
  /** The base URL as whoever is on the other side says it. */
  url: string;
  close(): Promise<void>;
}

/** Makes what listens at the URL `target` on this computer reachable at `host`, at the same port. */
export async function forwardPort(host: string, target: string): Promise<Forward> {
  const { protocol, hostname, port, pathname } = new URL(target);
  const number = Number(port || (protocol === 'https:' ? 443 : 80));
  const to = { host: hostname, port: number, autoSelectFamily: true };
  const { close } = await serveTcp((socket) => join(socket, connect(to)), { host, port: number });
  return { url: `${protocol}//${host}:${number}${pathname === '/' ? '' : pathname}`, close };
}
