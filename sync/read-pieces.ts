import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { SYNC_LIMITS } from '../contract/workspaces.ts';
import { encodePieceHead } from './frames.ts';
import { noFollow } from './read-content.ts';

/** A file as pieces; none of what isn't a file of that size any more. The receiver checks the hash. */
export function* readPieces(
  file: string,
  hash: string,
  size: number,
  offset: number,
  end = size,
): Generator<Uint8Array> {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | noFollow());
  } catch {
    return; // It is gone: the other side misses it, says so, and the next sync sees why.
  }
  try {
    if (!fstatSync(fd).isFile()) return;
    if (size === 0) yield encodePieceHead(hash, 0, 0);
    for (let at = offset; at < end;) {
      const bytes = Buffer.allocUnsafe(Math.min(SYNC_LIMITS.piece_bytes, end - at));
      const read = readSync(fd, bytes, 0, bytes.length, at);
      if (read < bytes.length) return;
      yield encodePieceHead(hash, at, read);
      yield bytes;
      at += read;
    }
  } finally {
    closeSync(fd);
  }
}
