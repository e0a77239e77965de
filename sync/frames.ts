import { SpoqError } from '../contract/errors.ts';
import { SYNC_LIMITS } from '../contract/workspaces.ts';

/**
 * One request or answer about contents: a description in JSON, then any number of pieces of files.
 *
 *     head   u32 length   JSON
 *     piece  u32 length   hash (32 bytes)   u64 offset   bytes
 *
 * Numbers are big-endian; `length` counts what follows it. Twenty thousand small files are few requests, and nothing is base64.
 */
const PIECE_HEAD = 40;

export interface Piece {
  hash: string;
  offset: number;
  bytes: Uint8Array;
}

/** The description as bytes. */
export function encodeHead(head: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const frame = Buffer.allocUnsafe(4 + json.length);
  frame.writeUInt32BE(json.length, 0);
  json.copy(frame, 4);
  return frame;
}

/** What a piece takes besides its bytes. */
export const PIECE_OVERHEAD = 4 + PIECE_HEAD;

/** A piece as bytes: what stands before it, and its own. */
export function encodePiece(piece: Piece): [Uint8Array, Uint8Array] {
  const head = Buffer.allocUnsafe(PIECE_OVERHEAD);
  writePieceHead(piece, head, 0);
  return [head, piece.bytes];
}

/** Writes a piece into `buffer` from `at` on, and returns where it ends. */
export function writePiece(piece: Piece, buffer: Buffer, at: number): number {
  writePieceHead(piece, buffer, at);
  buffer.set(piece.bytes, at + PIECE_OVERHEAD);
  return at + PIECE_OVERHEAD + piece.bytes.length;
}

function writePieceHead({ hash, offset, bytes }: Piece, buffer: Buffer, at: number): void {
  buffer.writeUInt32BE(PIECE_HEAD + bytes.length, at);
  buffer.write(hash, at + 4, 32, 'hex');
  buffer.writeBigUInt64BE(BigInt(offset), at + 36);
}

/** Takes a stream of frames apart, however it was cut. No frame is held that is longer than the limits say. */
export interface FrameReader {
  /** Bytes as they come. Calls back synchronously; throws `invalid_request` on what is no frame. */
  push(chunk: Uint8Array): void;
  /** Throws when the stream ends in the middle of a frame. */
  end(): void;
}

export function createFrameReader(onHead: (head: unknown) => void, onPiece: (piece: Piece) => void): FrameReader {
  const pending: Buffer[] = [];
  let held = 0;
  let needed = 4;
  let hasHead = false;
  /** Of the frame whose rest is to come. */
  let length: number | undefined;

  /** The next bytes; copied only where they came in several chunks. */
  const take = (bytes: number): Buffer => {
    held -= bytes;
    const [first = Buffer.alloc(0)] = pending;
    if (first.length >= bytes) {
      if (first.length === bytes) pending.shift();
      else pending[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    const whole = Buffer.allocUnsafe(bytes);
    for (let at = 0; at < bytes;) {
      const [chunk = Buffer.alloc(0)] = pending;
      const part = Math.min(chunk.length, bytes - at);
      chunk.copy(whole, at, 0, part);
      at += part;
      if (part === chunk.length) pending.shift();
      else pending[0] = chunk.subarray(part);
    }
    return whole;
  };

  return {
    push(chunk) {
      pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      held += chunk.length;
      while (held >= needed) {
        const bytes = take(needed);
        if (length === undefined) {
          length = bytes.readUInt32BE(0);
          const most = hasHead ? PIECE_HEAD + SYNC_LIMITS.piece_bytes : SYNC_LIMITS.head_bytes;
          if (length > most || (hasHead && length < PIECE_HEAD))
            throw broken('a frame has a length that none may have');
          needed = length;
          continue;
        }
        length = undefined;
        needed = 4;
        if (hasHead) onPiece(readPiece(bytes));
        else {
          hasHead = true;
          onHead(readHead(bytes));
        }
      }
    },
    end() {
      if (held > 0 || length !== undefined || !hasHead) throw broken('the stream ended too early');
    },
  };
}

/** Of a frame without its length. */
function readPiece(frame: Buffer): Piece {
  const offset = frame.readBigUInt64BE(32);
  if (offset > BigInt(SYNC_LIMITS.file_bytes)) throw broken('a piece begins where no file reaches');
  return { hash: frame.toString('hex', 0, 32), offset: Number(offset), bytes: frame.subarray(PIECE_HEAD) };
}

function readHead(frame: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame));
  } catch (error) {
    throw broken('its description is not JSON in UTF-8', error);
  }
}

function broken(what: string, cause?: unknown): SpoqError {
  return new SpoqError('invalid_request', { detail: `The stream cannot be read: ${what}.`, cause });
}
