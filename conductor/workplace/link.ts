import type { Readable, Writable } from 'node:stream';
import { createChannel, decodeJson, encodeJson } from './channel.ts';
import type { Channel, ChannelEnd } from './channel.ts';
import { createFrameReader, encodeFrame, ProtocolError } from './frames.ts';
import type { Frame } from './frames.ts';

/** What waits to be written. The other side has stopped reading, or asks for more than it reads. */
const MAX_UNWRITTEN = 8 * 1024 * 1024;
/** Taken in a tenth of a second; then the other side waits. A run must not keep the conductor busy with empty frames. */
const FRAMES_PER_SLICE = 2_000;
const SLICE_MS = 100;

export interface LinkOptions {
  input: Readable;
  output: Writable;
  /** Who opened the line numbers its channels odd, the other even. */
  side: 'conductor' | 'work';
  /** Something that the other side wants. Throws ProtocolError where it makes no sense. */
  accept(channel: Channel, message: unknown): void;
  /** How many of those may be open at once; more are closed at once, with `{ busy: true }`. */
  maxAccepted: number;
  /** Cut after this long without a byte of the other side, which is asked for one meanwhile. Never when left out. */
  silenceMs?: number;
}

/** Many channels over one line. */
export interface Link {
  open(message: object): Channel;
  close(): void;
  /** Why it is over: undefined when this side closed it. */
  readonly closed: Promise<Error | undefined>;
}

export function createLink({ input, output, side, accept, maxAccepted, silenceMs }: LinkOptions): Link {
  const channels = new Map<number, ChannelEnd>();
  const read = createFrameReader();
  const { promise: closed, resolve } = Promise.withResolvers<Error | undefined>();
  const isOurs = (id: number): boolean => id % 2 === (side === 'conductor' ? 1 : 0);
  let nextId = side === 'conductor' ? 1 : 2;
  let lastTheirs = 0;
  let accepted = 0;
  let isOver = false;
  let drained: PromiseWithResolvers<void> | undefined;
  let heardAt = performance.now();
  let slice = { began: 0, frames: 0 };

  const stop = (error?: Error): void => {
    if (isOver) return;
    isOver = true;
    clearInterval(watch);
    drained?.resolve();
    for (const channel of channels.values()) channel.cut(error ?? new Error('the line was closed'));
    input.destroy();
    output.destroy();
    resolve(error);
  };
  const write = async (frame: Buffer): Promise<void> => {
    if (isOver) throw new Error('the line is closed');
    const hasRoom = output.write(frame);
    if (hasRoom) return;
    if (output.writableLength > MAX_UNWRITTEN) return stop(new ProtocolError('it does not read'));
    drained ??= Promise.withResolvers();
    await drained.promise;
  };
  const add = (id: number, onForget: () => void): ChannelEnd => {
    const channel = createChannel(
      (kind, ...parts) => write(encodeFrame(kind, id, ...parts)),
      () => {
        if (channels.delete(id)) onForget();
      },
    );
    channels.set(id, channel);
    return channel;
  };
  const acceptOpen = (id: number, payload: Buffer): void => {
    if (isOurs(id) || id <= lastTheirs) throw new ProtocolError(`channel ${id} is opened out of turn`);
    lastTheirs = id;
    if (accepted >= maxAccepted)
      return void write(encodeFrame('close', id, encodeJson({ busy: true }))).catch(() => undefined);
    accepted += 1;
    const channel = add(id, () => (accepted -= 1));
    accept(channel, decodeJson(payload));
  };
  const take = ({ kind, channel: id, payload }: Frame): void => {
    if (kind === 'ping') {
      if (side === 'conductor') throw new ProtocolError('a ping'); // it is for this side to ask
      return void write(encodeFrame('pong', 0)).catch(() => undefined);
    }
    if (kind === 'pong') return;
    if (kind === 'open') return acceptOpen(id, payload);
    const channel = channels.get(id);
    if (channel !== undefined) return channel.receive(kind, payload);
    // What was sent before it heard that the channel is over.
    if (isOurs(id) ? id >= nextId : id > lastTheirs) throw new ProtocolError(`channel ${id} was never opened`);
  };
  const pace = (frames: number): void => {
    const now = performance.now();
    if (now - slice.began > SLICE_MS) slice = { began: now, frames: 0 };
    slice.frames += frames;
    if (slice.frames <= FRAMES_PER_SLICE || side === 'work') return;
    input.pause();
    setTimeout(() => input.resume(), SLICE_MS);
  };
  const watch =
    silenceMs === undefined
      ? undefined
      : setInterval(() => {
          if (performance.now() - heardAt > silenceMs) stop(new Error(`nothing was heard for ${silenceMs / 1000} s`));
          else void write(encodeFrame('ping', 0)).catch(() => undefined);
        }, silenceMs / 4);
  watch?.unref();

  input.on('data', (chunk: Uint8Array) => {
    heardAt = performance.now();
    try {
      const frames = read(chunk);
      pace(frames.length);
      for (const frame of frames) if (!isOver) take(frame);
    } catch (error) {
      stop(error instanceof Error ? error : new Error(String(error)));
    }
  });
  output.on('drain', () => {
    drained?.resolve();
    drained = undefined;
  });
  for (const stream of new Set([input, output])) {
    stream.on('error', (error: Error) => stop(new Error(`the line broke: ${error.message}`, { cause: error })));
    stream.on('close', () => stop(new Error('the line was cut')));
  }
  input.on('end', () => stop(new Error('the line has ended')));
  return {
    open(message) {
      const id = nextId;
      nextId += 2;
      const channel = add(id, () => undefined);
      if (isOver) channel.cut(new Error('the line is closed'));
      else void write(encodeFrame('open', id, encodeJson(message))).catch(() => undefined);
      return channel;
    },
    close: () => stop(),
    closed,
  };
}
