import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { SYNC_LIMITS } from '../contract/workspaces.ts';
import type { Piece } from './frames.ts';
import { noFollow } from './read-content.ts';

/** A file as pieces; none of what isn't a file of that size any more. The receiver checks the hash. */
export function* readPieces(file: string, hash: string, size: number, offset: number): Generator<Piece> {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | noFollow());
  } catch {
    return; // It is gone: the other side misses it, says so, and the next sync sees why.
  }
  try {
    if (!fstatSync(fd).isFile()) return;
    if (size === 0) yield { hash, offset: 0, bytes: new Uint8Array() };
    for (let at = offset; at < size;) {
      const bytes = Buffer.allocUnsafe(Math.min(SYNC_LIMITS.piece_bytes, size - at));
      const read = readSync(fd, bytes, 0, bytes.length, at);
      if (read < bytes.length) return;
      yield { hash, offset: at, bytes };
      at += read;
    }
  } finally {
    closeSync(fd);
  }
}
