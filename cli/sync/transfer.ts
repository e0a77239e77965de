import type { Step } from '../../contract/workspaces.ts';
import { encodePiece } from '../../sync/frames.ts';
import { readPieces } from '../../sync/read-pieces.ts';
import type { Staging } from '../../sync/staging.ts';
import type { BoxWorkspace } from './box-workspace.ts';
import type { Sender } from './sender.ts';

/** A content that one side has and the other needs. */
export interface Content {
  hash: string;
  size: number;
  /** Where it goes on: what is before has arrived already. */
  offset: number;
  /** A file here that has it; empty for one that comes from the box. */
  file: string;
}

/** Told while contents travel; `done` counts bytes of files, and never falls. */
export type OnTransfer = (done: number) => void;

/** What is sent along with the steps themselves: one journey less. */
export const INLINE_BYTES = 256 * 1024;
/** Brought by one request. */
const MAX_BATCH_FILES = 4000;

/** What the steps need and neither `has` nor is there under another name. `locate` says where a content is, if here. */
export function listMissing(
  steps: readonly Step[],
  has: (hash: string) => boolean,
  staged: Readonly<Record<string, number>>,
  locate: (hash: string) => string | undefined,
): Content[] {
  const missing = new Map<string, Content>();
  for (const { want } of steps) {
    if (want?.kind !== 'file' || has(want.hash) || missing.has(want.hash)) continue;
    const offset = staged[want.hash] ?? 0;
    if (offset >= want.size && staged[want.hash] !== undefined) continue;
    const file = locate(want.hash);
    if (file !== undefined) missing.set(want.hash, { hash: want.hash, size: want.size, offset, file });
  }
  return [...missing.values()];
}

/** The contents that these steps want. */
export function listWanted(steps: readonly Step[]): Set<string> {
  return new Set(steps.flatMap(({ want }) => (want?.kind === 'file' ? [want.hash] : [])));
}

export function countBytes(contents: readonly Content[]): number {
  return contents.reduce((sum, { size, offset }) => sum + size - offset, 0);
}

/** All of these contents as the pieces of one request. */
export function readAll(contents: readonly Content[]): Uint8Array[] {
  return contents.flatMap(({ file, hash, size, offset }) =>
    [...readPieces(file, hash, size, offset)].flatMap((piece) => encodePiece(piece)),
  );
}

/** Sends contents. */
export async function sendContents(sender: Sender, contents: readonly Content[]): Promise<void> {
  for (const { file, hash, size, offset } of contents)
    for (const piece of readPieces(file, hash, size, offset)) {
      sender.add(piece, size);
      if (sender.isFull()) await sender.room();
    }
  await sender.end(true);
}

/** Brings contents here, into the staging area; what has arrived stays there if the line is cut. */
export async function fetchContents(
  box: BoxWorkspace,
  folder: string,
  contents: readonly Content[],
  staging: Staging,
  onTransfer: OnTransfer,
  signal: AbortSignal,
): Promise<void> {
  let done = 0;
  for (let at = 0; at < contents.length; at += MAX_BATCH_FILES) {
    signal.throwIfAborted();
    const batch = contents.slice(at, at + MAX_BATCH_FILES);
    const sizes = new Map(batch.map(({ hash, size }) => [hash, size]));
    const list = batch.map(({ hash, size, offset }) => ({ hash, size, offset }));
    await box.fetch({ folder, contents: list }, ({ hash, offset, bytes }) => {
      const size = sizes.get(hash);
      // Nothing is taken that wasn't asked for.
      if (size === undefined) return;
      staging.add(hash, size, offset, bytes);
      done += bytes.length;
      onTransfer(done);
    });
  }
}
