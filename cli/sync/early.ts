import type { ScanAnswer } from '../../contract/workspaces.ts';
import type { ScanOptions } from '../../sync/scan.ts';
import type { BoxWorkspace } from './box-workspace.ts';
import { startPlacing } from './placing.ts';
import type { Placed, Placing } from './placing.ts';
import { createSender, cutContent } from './sender.ts';
import type { Phase } from './synced.ts';
import { INLINE_BYTES } from './transfer.ts';

/** Contents that have arrived on the box before it was known what they are for. */
export interface Early {
  sent: ReadonlySet<string>;
  bytes: number;
}

export const NOTHING_EARLY: Early = { sent: new Set(), bytes: 0 };

/** Sends what a box that knows nothing of a tree will need while the tree is read: each file is read once, and nobody waits for the other. */
export interface EarlySending {
  /** For the scan. */
  options: Pick<ScanOptions, 'onUnread' | 'onContent' | 'onFile' | 'pause' | 'isFull'>;
  /** What was put in place as well, by now: only on a box that had nothing. */
  placed(): Placed | undefined;
  /** Until what is under way has arrived. */
  end(): Promise<Early>;
}

export interface EarlyOptions {
  box: BoxWorkspace;
  folder: string;
  /** What the box has; our own tree is listed meanwhile. */
  answer: Promise<ScanAnswer>;
  signal: AbortSignal;
  pause: () => Promise<void>;
  onPhase(phase: Phase): Promise<void> | void;
}

export function startEarlySending({ box, folder, answer, signal, pause, onPhase }: EarlyOptions): EarlySending {
  let there: ReadonlySet<string> = new Set();
  let room = 0;
  let placing: Placing | undefined;
  const sizes = new Map<string, number>();
  const sent = new Set<string>();
  const phase = { type: 'send' as const, files: 0, bytes: 0, done: 0 };
  let [given, arrived] = [0, 0];
  const tell = (bytes: number): void => {
    phase.done += bytes;
    if (phase.bytes > INLINE_BYTES) void onPhase({ ...phase });
  };
  const sender = createSender({
    box,
    folder,
    signal,
    onSent(parts) {
      const bytes = parts.reduce((sum, { length }) => sum + length, 0);
      for (const { hash, offset, length } of parts) {
        if (offset + length !== sizes.get(hash)) continue;
        sent.add(hash);
        placing?.arrived(hash);
      }
      arrived += bytes;
      tell(bytes);
    },
  });
  return {
    options: {
      async onUnread(files, bytes) {
        const { changes, staged, left_out, vanished, free_bytes } = await answer;
        const hashes = changes.flatMap(([, entry]) => (entry?.kind === 'file' ? [entry.hash] : []));
        there = new Set([...hashes, ...Object.keys(staged)]);
        room = free_bytes;
        const hasNothing = changes.length === 0 && left_out.length === 0 && !vanished;
        placing = hasNothing ? startPlacing(box, folder) : undefined;
        Object.assign(phase, { files, bytes });
        tell(0);
      },
      onContent(hash, bytes) {
        // Twice the same, or more than fits: the comparison sees to it.
        if (there.has(hash) || sizes.has(hash) || given + bytes.length > room) return tell(bytes.length);
        sizes.set(hash, bytes.length);
        given += bytes.length;
        for (const piece of cutContent(hash, bytes)) sender.add(piece, bytes.length);
      },
      onFile(path, entry, look) {
        if (sizes.has(entry.hash)) placing?.expect(path, entry, look);
      },
      isFull: () => sender.isFull(),
      async pause() {
        if (sender.isFull()) await sender.room();
        await pause();
      },
    },
    placed: () => placing?.placed(),
    async end() {
      const rejected = new Set(await sender.end(false));
      await placing?.end();
      return { sent: new Set([...sent].filter((hash) => !rejected.has(hash))), bytes: arrived };
    },
  };
}
