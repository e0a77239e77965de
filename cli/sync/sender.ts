import { SYNC_LIMITS } from '../../contract/workspaces.ts';
import type { ContentsRequest } from '../../contract/workspaces.ts';
import { encodeHead, PIECE_OVERHEAD, writePiece } from '../../sync/frames.ts';
import type { Piece } from '../../sync/frames.ts';
import type { BoxWorkspace } from './box-workspace.ts';
import { createPacking } from './packing.ts';

/** Sends contents in the order in which they are given, many per request and three requests at a time: while one is written there and one is packed here, one fills the line. */
export interface Sender {
  /** The next piece of a content of `size` bytes; a content's pieces come in their order. The bytes are copied. */
  add(piece: Piece, size: number): void;
  /** As much waits as should: `room` first. */
  isFull(): boolean;
  /** Until more may be added. Rejects when a request has failed. */
  room(): Promise<void>;
  /** Until what is under way has arrived; what waits is dropped, or sent as well with `all`. Returns the hashes that were not right. */
  end(all: boolean): Promise<string[]>;
}

export interface SenderOptions {
  box: Pick<BoxWorkspace, 'send'>;
  folder: string;
  signal: AbortSignal;
  /** Told what has arrived. */
  onSent(parts: readonly Part[]): void;
}

/** A piece without its bytes. */
export interface Part {
  hash: string;
  offset: number;
  length: number;
}

/** Each request takes about this long; its size follows from how fast the line is. */
const REQUEST_MS = 2000;
const FIRST_BATCH_BYTES = 512 * 1024;
const MIN_BATCH_BYTES = 64 * 1024;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_BATCH_PIECES = 4000;
const AT_ONCE = 3;

/** What stands before the pieces of a batch, and their own heads, take no more. */
const HEAD_ROOM = 512 * 1024;
/** A content that is given at once may go beyond the size of a batch. */
const BUFFER_BYTES = HEAD_ROOM + MAX_BATCH_BYTES + MAX_BATCH_PIECES * PIECE_OVERHEAD + 8 * 1024 * 1024;

interface Batch {
  contents: ContentsRequest['contents'];
  parts: Part[];
  bytes: number;
  /** The frames, from HEAD_ROOM on: memory that is used again and again costs a third of what new memory does. */
  buffer: Buffer;
  end: number;
}

export function createSender({ box, folder, signal, onSent }: SenderOptions): Sender {
  const rejected: string[] = [];
  const underWay = new Set<Promise<void>>();
  /** The parts of one content arrive in their order. */
  const unfinished = new Map<string, Promise<void>>();
  const packing = createPacking();
  const buffers: Buffer[] = [];
  const createBatch = (): Batch => ({
    contents: [],
    parts: [],
    bytes: 0,
    buffer: buffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES),
    end: HEAD_ROOM,
  });
  let waiting = createBatch();
  let size = FIRST_BATCH_BYTES;

  const transmit = async (batch: Batch, before: readonly Promise<void>[], wasPacked: boolean): Promise<void> => {
    await Promise.all(before);
    signal.throwIfAborted();
    const head = encodeHead({ folder, contents: batch.contents });
    const start = HEAD_ROOM - head.length;
    batch.buffer.set(head, start);
    const answer = await box.send(batch.buffer.subarray(start, batch.end), wasPacked);
    buffers.push(batch.buffer);
    rejected.push(...answer.rejected);
    packing.done(wasPacked, batch.bytes, answer.ms);
    const rate = batch.bytes / Math.max(1, answer.ms);
    size = Math.max(MIN_BATCH_BYTES, Math.min(MAX_BATCH_BYTES, Math.round(rate * REQUEST_MS)));
    onSent(batch.parts);
  };
  const flush = (): void => {
    const batch = waiting;
    waiting = createBatch();
    const wasPacked = packing.choose();
    const before = batch.contents.flatMap(({ hash }) => unfinished.get(hash) ?? []);
    const sending = transmit(batch, before, wasPacked);
    sending.then(
      () => underWay.delete(sending),
      () => undefined, // It stays, and whoever waits for room hears of it.
    );
    underWay.add(sending);
    const last = batch.parts.at(-1);
    for (const { hash } of batch.contents) unfinished.delete(hash);
    if (last !== undefined) unfinished.set(last.hash, sending);
  };
  const isRipe = (): boolean => waiting.bytes >= size || waiting.parts.length >= MAX_BATCH_PIECES;

  return {
    add(piece, whole) {
      const { hash, offset, bytes } = piece;
      if (waiting.contents.at(-1)?.hash !== hash) waiting.contents.push({ hash, size: whole, offset });
      waiting.parts.push({ hash, offset, length: bytes.length });
      waiting.bytes += bytes.length;
      waiting.end = writePiece(piece, waiting.buffer, waiting.end);
      if (isRipe() && underWay.size < AT_ONCE) flush();
    },
    isFull: isRipe,
    async room() {
      while (underWay.size >= AT_ONCE) await Promise.race(underWay);
      if (isRipe()) flush();
    },
    async end(all) {
      if (all && waiting.parts.length > 0) {
        await this.room();
        if (waiting.parts.length > 0) flush();
      }
      await Promise.all(underWay);
      return rejected;
    },
  };
}

/** A content that is in memory as pieces. */
export function* cutContent(hash: string, bytes: Uint8Array): Generator<Piece> {
  let offset = 0;
  do {
    const end = Math.min(bytes.length, offset + SYNC_LIMITS.piece_bytes);
    yield { hash, offset, bytes: bytes.subarray(offset, end) };
    offset = end;
  } while (offset < bytes.length);
}
