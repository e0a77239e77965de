import { ProtocolError } from './frames.ts';
import type { FrameKind } from './frames.ts';

/** How much one side may send before the other has taken it. */
export const WINDOW = 256 * 1024;
/** What a frame of data costs besides its bytes: many small ones fill memory too. */
const OVERHEAD = 128;
const MAX_PIECE = 32 * 1024;

export interface Piece {
  /** 1 and 2 as a program's stdout and stderr; 0 where there is only one. */
  stream: number;
  data: Buffer;
}

/** One conversation among many on the same line. Either side sends data as the other takes it; who opened it hears a result. */
export interface Channel {
  /** In order; settles when it has gone out. Rejects when the channel is over. */
  send(data: Uint8Array, stream?: number): Promise<void>;
  end(): void;
  tell(message: object): void;
  /** Messages of the other side. At most one hears them. */
  onTell(hear: (message: unknown) => void): void;
  /** What the other side sends, to its end. To be read once. Leaving early lets the rest go. */
  readonly data: AsyncIterable<Piece>;
  /** Ends it: with a result by who was asked, without by who gives up. */
  close(result?: object): void;
  /** What the other side closed it with. Rejects when the line is cut before. */
  readonly result: Promise<unknown>;
  /** Aborted when the other side closed it, or the line was cut. */
  readonly over: AbortSignal;
}

/** A channel as the line sees it. */
export interface ChannelEnd extends Channel {
  receive(kind: FrameKind, payload: Buffer): void;
  cut(error: Error): void;
}

/** `write` settles when the line has room for more; `forget` is called when the channel is over. */
export function createChannel(
  write: (kind: FrameKind, ...parts: Uint8Array[]) => Promise<void>,
  forget: () => void,
): ChannelEnd {
  const pieces: Piece[] = [];
  const over = new AbortController();
  const { promise: result, resolve, reject } = Promise.withResolvers<unknown>();
  result.catch(() => undefined); // who doesn't ask for it needn't hear
  let credit = WINDOW;
  let allowed = WINDOW;
  let taken = 0;
  let ended = false; // the other side's data
  let closed = false;
  let ignoring = false;
  let tail = Promise.resolve();
  let hear: (message: unknown) => void = () => undefined;
  let wakeReader: () => void = () => undefined;
  let wakeSender: () => void = () => undefined;

  const post = (kind: FrameKind, ...parts: Uint8Array[]): void => void write(kind, ...parts).catch(() => undefined);
  const give = (cost: number): void => {
    taken += cost;
    if (taken < WINDOW / 2 || closed || ended) return;
    const grant = Buffer.alloc(4);
    grant.writeUInt32BE(taken);
    allowed += taken;
    taken = 0;
    post('credit', grant);
  };
  const finish = (): void => {
    closed = true;
    ended = true;
    forget();
    over.abort();
    wakeReader();
    wakeSender();
  };
  const mayGo = (): boolean => closed || credit > OVERHEAD;
  const sendPieces = async (data: Uint8Array, stream: number): Promise<void> => {
    for (let at = 0; at < data.length;) {
      while (!mayGo()) await new Promise<void>((wake) => (wakeSender = wake));
      if (closed) throw new Error('the channel is closed');
      const piece = data.subarray(at, at + Math.min(credit - OVERHEAD, MAX_PIECE));
      credit -= piece.length + OVERHEAD;
      at += piece.length;
      await write('data', Uint8Array.of(stream), piece);
    }
  };
  async function* read(): AsyncGenerator<Piece> {
    try {
      for (;;) {
        const piece = pieces.shift();
        if (piece !== undefined) {
          yield piece;
          give(piece.data.length + OVERHEAD);
        } else if (ended) return;
        else await new Promise<void>((wake) => (wakeReader = wake));
      }
    } finally {
      ignoring = true;
      for (const { data } of pieces.splice(0)) give(data.length + OVERHEAD);
    }
  }
  const receiveData = (payload: Buffer): void => {
    const [stream] = payload;
    const cost = payload.length - 1 + OVERHEAD;
    allowed -= cost;
    if (stream === undefined || payload.length === 1) throw new ProtocolError('data without data');
    if (allowed < 0) throw new ProtocolError('more data than was allowed');
    if (ended) throw new ProtocolError('data after its end');
    if (ignoring) return give(cost);
    pieces.push({ stream, data: payload.subarray(1) });
    wakeReader();
  };
  return {
    send(data, stream = 0) {
      const sent = tail.then(() => sendPieces(data, stream));
      tail = sent.catch(() => undefined);
      return sent;
    },
    end: () => void tail.then(() => !closed && post('end')),
    tell: (message) => void (!closed && post('tell', encodeJson(message))),
    onTell: (listener) => (hear = listener),
    data: { [Symbol.asyncIterator]: read },
    close(value = {}) {
      if (closed) return;
      post('close', encodeJson(value));
      reject(new Error('the channel was closed on this side'));
      finish();
    },
    result,
    over: over.signal,
    receive(kind, payload) {
      if (kind === 'data') receiveData(payload);
      else if (kind === 'credit') {
        if (payload.length !== 4) throw new ProtocolError('a credit that is no number');
        credit += payload.readUInt32BE(0);
        if (credit > WINDOW) throw new ProtocolError('more credit than there is');
        wakeSender();
      } else if (kind === 'end') {
        ended = true;
        wakeReader();
      } else if (kind === 'tell') hear(decodeJson(payload));
      else if (kind === 'close') {
        resolve(decodeJson(payload));
        finish();
      }
    },
    cut(error) {
      reject(error);
      finish();
    },
  };
}

export function encodeJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8')) as unknown;
  } catch (cause) {
    throw new ProtocolError('a message that is not JSON', { cause });
  }
}
