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

/** A piece as bytes: what stands before it, and its own. */
export function encodePiece({ hash, offset, bytes }: Piece): [Uint8Array, Uint8Array] {
  const head = Buffer.allocUnsafe(4 + PIECE_HEAD);
  head.writeUInt32BE(PIECE_HEAD + bytes.length, 0);
  head.write(hash, 4, 32, 'hex');
  head.writeBigUInt64BE(BigInt(offset), 36);
  return [head, bytes];
}

/** Takes a stream of frames apart, however it was cut. No frame is held that is longer than the limits say. */
export interface FrameReader {
  /** Bytes as they come. Calls back synchronously; throws `invalid_request` on what is no frame. */
  push(chunk: Uint8Array): void;
  /** Throws when the stream ends in the middle of a frame. */
  end(): void;
}

export function createFrameReader(onHead: (head: unknown) => void, onPiece: (piece: Piece) => void): FrameReader {
  let pending: Buffer[] = [];
  let held = 0;
  let needed = 4;
  let hasHead = false;

  const take = (bytes: number): Buffer => {
    const whole = pending.length === 1 ? (pending[0] ?? Buffer.alloc(0)) : Buffer.concat(pending);
    const rest = whole.subarray(bytes);
    pending = rest.length === 0 ? [] : [rest];
    held = rest.length;
    return whole.subarray(0, bytes);
  };
  const readLength = (): number => {
    const [first] = pending;
    if (first !== undefined && first.length >= 4) return first.readUInt32BE(0);
    const all = Buffer.concat(pending);
    pending = [all];
    return all.readUInt32BE(0);
  };

  return {
    push(chunk) {
      pending.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      held += chunk.length;
      while (held >= needed) {
        if (needed === 4) {
          const length = readLength();
          const most = hasHead ? PIECE_HEAD + SYNC_LIMITS.piece_bytes : SYNC_LIMITS.head_bytes;
          if (length > most || (hasHead && length < PIECE_HEAD))
            throw broken('a frame has a length that none may have');
          needed = 4 + length;
          continue;
        }
        const frame = take(needed);
        needed = 4;
        if (hasHead) onPiece(readPiece(frame));
        else {
          hasHead = true;
          onHead(readHead(frame));
        }
      }
    },
    end() {
      if (held > 0 || !hasHead) throw broken('the stream ended too early');
    },
  };
}

function readPiece(frame: Buffer): Piece {
  const offset = frame.readBigUInt64BE(36);
  if (offset > BigInt(SYNC_LIMITS.file_bytes)) throw broken('a piece begins where no file reaches');
  return { hash: frame.toString('hex', 4, 36), offset: Number(offset), bytes: frame.subarray(4 + PIECE_HEAD) };
}

function readHead(frame: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(frame.subarray(4)));
  } catch (error) {
    throw broken('its description is not JSON in UTF-8', error);
  }
}

function broken(what: string, cause?: unknown): SpoqError {
  return new SpoqError('invalid_request', { detail: `The stream cannot be read: ${what}.`, cause });
}
