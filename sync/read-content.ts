import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { createHash } from 'node:crypto';
import { findSecretContent } from './rules/secret-content.ts';

/** `bytes` is good until the call returns; it is the whole content. Files that don't fit into memory at once are not told. */
export type OnContent = (hash: string, bytes: Uint8Array) => void;

/** Read at once up to here; larger files piece by piece. */
const WHOLE_BYTES = 4 * 1024 * 1024;
/** Of a piece, what the next one begins with for the look at secrets: no key is longer. */
const OVERLAP_BYTES = 16 * 1024;

interface Content {
  size: number;
  hash: string;
}

interface LeftContent {
  left: string;
  /** True: it may be another time, though nothing changes. */
  again?: boolean;
}

let shared: Buffer | undefined;

/** Size and hash of a file that `stats` speaks of; or why it takes no part. A link or another file put there meanwhile isn't read. */
export function readContent(
  file: string,
  stats: Stats,
  allowed: boolean,
  onContent: OnContent | undefined,
): Content | LeftContent {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | noFollow());
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { left: `cannot be read (${code ?? 'unknown'})` };
  }
  try {
    return readOpen(fd, stats, allowed, onContent);
  } finally {
    closeSync(fd);
  }
}

function readOpen(fd: number, stats: Stats, allowed: boolean, onContent: OnContent | undefined): Content | LeftContent {
  const buffer = (shared ??= Buffer.allocUnsafeSlow(WHOLE_BYTES + OVERLAP_BYTES));
  const hash = createHash('sha256');
  let size = 0;
  let kept = 0;
  for (;;) {
    const read = readSync(fd, buffer, kept, WHOLE_BYTES, size);
    if (read === 0) break;
    hash.update(buffer.subarray(kept, kept + read));
    size += read;
    const seen = buffer.subarray(0, kept + read);
    const kind = allowed ? undefined : findSecretContent(seen);
    if (kind !== undefined) return { left: `withheld: looks like it holds ${kind}` };
    if (read === size && size === stats.size && size < WHOLE_BYTES) {
      const digest = hash.digest('hex');
      onContent?.(digest, buffer.subarray(0, size));
      return isAsBefore(fd, stats, { size, hash: digest });
    }
    kept = Math.min(OVERLAP_BYTES, seen.length);
    buffer.copyWithin(0, seen.length - kept, seen.length);
  }
  return isAsBefore(fd, stats, { size, hash: hash.digest('hex') });
}

/** Half of one version and half of the next is no version. */
function isAsBefore(fd: number, before: Stats, content: Content): Content | LeftContent {
  const now = fstatSync(fd);
  const isSame = now.ino === before.ino && now.mtimeMs === before.mtimeMs && now.size === content.size;
  return isSame ? content : { left: 'changed while it was read', again: true };
}

/** Opening a FIFO would wait for a writer without O_NONBLOCK. Windows knows neither. */
export function noFollow(): number {
  return process.platform === 'win32' ? 0 : constants.O_NOFOLLOW | constants.O_NONBLOCK;
}
