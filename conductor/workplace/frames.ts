/**
 * What goes over the wire between the conductor and a place of work: frames of a length (of what follows), a kind, a channel and a
 * payload. Numbers are big-endian.
 */
export const KINDS = {
  /** JSON: what the channel is for. */
  open: 1,
  /** One byte that names the stream, then bytes of it. */
  data: 2,
  /** Four bytes: how much more may be sent. */
  credit: 3,
  /** No more data comes from this side. */
  end: 4,
  /** JSON: how it ended. The channel is over. */
  close: 5,
  /** JSON: a message beside the data. */
  tell: 6,
  ping: 7,
  pong: 8,
} as const;
export type FrameKind = keyof typeof KINDS;

export interface Frame {
  kind: FrameKind;
  channel: number;
  payload: Buffer;
}

export const MAX_PAYLOAD = 256 * 1024;
const HEADER = 9;
const BY_NUMBER = new Map<number, FrameKind>(
  Object.entries(KINDS).map(([kind, number]) => [number, kind as FrameKind]),
);

/** The other side doesn't keep to the protocol: it is cut. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encodeFrame(kind: FrameKind, channel: number, ...parts: Uint8Array[]): Buffer {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytes > MAX_PAYLOAD) throw new RangeError(`a frame of ${bytes} bytes`);
  const frame = Buffer.allocUnsafe(HEADER + bytes);
  frame.writeUInt32BE(HEADER - 4 + bytes, 0);
  frame.writeUInt8(KINDS[kind], 4);
  frame.writeUInt32BE(channel, 5);
  let at = HEADER;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Takes the stream as it comes and answers the frames that are whole. Keeps at most one frame. Throws ProtocolError. */
export function createFrameReader(): (chunk: Uint8Array) => Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < HEADER - 4 || length > MAX_PAYLOAD + HEADER - 4)
        throw new ProtocolError(`a frame of ${length} bytes`);
      if (bytes.length - at < 4 + length) break;
      const kind = BY_NUMBER.get(bytes.readUInt8(at + 4));
      if (kind === undefined) throw new ProtocolError(`a frame of kind ${bytes.readUInt8(at + 4)}`);
      // A copy: a view of one byte would keep the whole chunk in memory for as long as nobody takes it.
      const payload = Buffer.from(bytes.subarray(at + HEADER, at + 4 + length));
      frames.push({ kind, channel: bytes.readUInt32BE(at + 5), payload });
      at += 4 + length;
    }
    rest = Buffer.from(bytes.subarray(at));
    return frames;
  };
}
