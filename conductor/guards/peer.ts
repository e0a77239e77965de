import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import type { Socket } from 'node:net';

/** Who is at the other end of a connection on this machine. `unknown`: this system doesn't say. */
export type Peer = { uid: number } | 'gone' | 'unknown';
export type FindPeer = (socket: Socket) => Promise<Peer>;

/** The accounts that launch-work.sh gives to runs. */
export const FIRST_RUN_UID = 1_900_000_000;
export const MAX_RUNS = 1000;

export function isRun(uid: number): boolean {
  return uid >= FIRST_RUN_UID && uid < FIRST_RUN_UID + MAX_RUNS;
}

/**
 * Looks the peer's socket up in the kernel's list of this network. (Not /proc/net, which a sandbox with ProcSubset=pid doesn't have.)
 * It takes as long as the kernel's table is large: 1 ms on a small box, 10 on a large one.
 */
export const findPeer: FindPeer = async ({ remoteAddress = '', remotePort = 0, localPort = 0 }) => {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'latin1').catch(() => undefined)),
  );
  if (tables.every((table) => table === undefined)) return 'unknown';
  return findOwner(tables.join('\n'), { address: remoteAddress, port: remotePort, to: localPort });
};

/** Of a socket that is still held by a process: one that was let go says 0, which is root's. */
export function findOwner(table: string, { address, port, to }: { address: string; port: number; to: number }): Peer {
  const octets = address
    .replace(/^::ffff:/i, '')
    .split('.')
    .map(Number);
  if (!isIPv4(octets.join('.'))) return 'gone';
  const end = `${toHex(octets.toReversed())}:${toHex([port >> 8, port & 255])}`;
  for (const line of table.split('\n')) {
    // sl local_address rem_address st queues timer retrnsmt uid timeout inode
    const [, local = '', remote = '', , , , , uid = '', , inode = '0'] = line.trim().split(/\s+/);
    if (!local.endsWith(end) || !remote.endsWith(`:${toHex([to >> 8, to & 255])}`)) continue;
    return inode === '0' ? 'gone' : { uid: Number(uid) };
  }
  return 'gone';
}

function toHex(bytes: number[]): string {
  return bytes
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}
