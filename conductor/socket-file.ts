import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { SpoqError } from '../contract/errors.ts';

/** sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included. */
const MAX_PATH_BYTES = 103;

/** Whether it is short enough for a socket. */
export function isSocketPath(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

/**
 * Makes room for a Unix socket at `path`: a socket that nobody listens on is removed. Throws `conflict` when a conductor
 * answers there or the file is something else, which is then left alone.
 */
export async function claimSocketPath(path: string): Promise<void> {
  if (!isSocketPath(path)) {
    throw new SpoqError('invalid_request', {
      detail: `The socket path is longer than ${MAX_PATH_BYTES} bytes: ${path}`,
    });
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new SpoqError('conflict', {
      detail: `${path} exists and is not a socket.`,
      next: 'Move it away, or give another path with --socket.',
    });
  }
  if (await answers(path)) {
    throw new SpoqError('conflict', {
      detail: `Another conductor is listening on ${path}.`,
      next: 'Stop it first, or give another path with --socket.',
    });
  }
  await unlink(path);
}

/** Owner and group may connect: the front door is in the group. Others have no business there, token or not. */
export async function openToGroup(path: string): Promise<void> {
  await chmod(path, 0o660);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
