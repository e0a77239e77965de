import type { Entry, Step } from '../../contract/workspaces.ts';
import { SYNC_LIMITS } from '../../contract/workspaces.ts';
import { readPieces } from '../../sync/read-pieces.ts';
import type { Staging } from '../../sync/staging.ts';
import type { BoxWorkspace } from './box-workspace.ts';

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
/** Each request takes about this long; its size follows from how fast the line is. */
const REQUEST_MS = 2000;
const FIRST_BATCH_BYTES = 512 * 1024;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_BATCH_FILES = 4000;
const AT_ONCE = 2;

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

/** Where a tree has contents, all or those that these steps want: hash to one of its paths. */
export function indexContents(tree: ReadonlyMap<string, Entry>, steps?: readonly Step[]): Map<string, string> {
  const wanted = steps && new Set(steps.map(({ want }) => (want?.kind === 'file' ? want.hash : '')));
  const contents = new Map<string, string>();
  for (const [path, entry] of tree)
    if (entry.kind === 'file' && wanted?.has(entry.hash) !== false) contents.set(entry.hash, path);
  return contents;
}

export function countBytes(contents: readonly Content[]): number {
  return contents.reduce((sum, { size, offset }) => sum + size - offset, 0);
}

/** All of these contents as the pieces of one request. */
export function readAll(contents: readonly Content[]): Uint8Array[] {
  return contents.flatMap(({ file, hash, size, offset }) => [...readPieces(file, hash, size, offset)]);
}

/** Sends contents, many per request and two requests at a time; packed as long as packing is faster than the line. */
export async function sendContents(
  box: BoxWorkspace,
  folder: string,
  contents: readonly Content[],
  onTransfer: OnTransfer,
  signal: AbortSignal,
): Promise<string[]> {
  const batches = cutBatches(contents, () => size);
  const rejected: string[] = [];
  let size = FIRST_BATCH_BYTES;
  /** Bytes a millisecond, either way; both are tried, and what was faster goes on. */
  const rates = { packed: 0, plain: 0 };
  let started = 0;
  let done = 0;
  /** The parts of one file arrive in their order. */
  const underWay = new Map<string, Promise<unknown>>();
  const work = async (): Promise<void> => {
    for (let next = batches.next(); next.done !== true; next = batches.next()) {
      signal.throwIfAborted();
      const batch = next.value;
      const pieces = batch.parts.flatMap(({ content, end }) => [
        ...readPieces(content.file, content.hash, content.size, content.offset, end),
      ]);
      const wasPacked = started === 0 || (started > 1 && rates.packed >= rates.plain);
      started++;
      const list = batch.parts.map(({ content: { hash, size: whole, offset } }) => ({ hash, size: whole, offset }));
      const before = list.map(({ hash }) => underWay.get(hash)).filter((one) => one !== undefined);
      const sending = Promise.all(before).then(() => box.send({ folder, contents: list }, pieces, wasPacked));
      for (const { content, end } of batch.parts) if (end < content.size) underWay.set(content.hash, sending);
      const answer = await sending;
      rejected.push(...answer.rejected);
      done += batch.bytes;
      onTransfer(done);
      size = chooseSize(batch.bytes, answer.packMs + answer.sendMs);
      rates[wasPacked ? 'packed' : 'plain'] = batch.bytes / (answer.packMs + answer.sendMs);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return rejected;
}

function chooseSize(bytes: number, ms: number): number {
  return Math.max(64 * 1024, Math.min(MAX_BATCH_BYTES, Math.round((bytes / Math.max(1, ms)) * REQUEST_MS)));
}

interface Batch {
  parts: { content: Content; end: number }[];
  bytes: number;
}

/** Contents in batches of about `size()` bytes; a file that is larger goes in several, an empty one in one all the same. */
export function* cutBatches(contents: readonly Content[], size: () => number): Generator<Batch, undefined> {
  let batch: Batch = { parts: [], bytes: 0 };
  for (const content of contents) {
    let { offset } = content;
    do {
      if (batch.parts.length > 0 && (batch.bytes >= size() || batch.parts.length >= MAX_BATCH_FILES)) {
        yield batch;
        batch = { parts: [], bytes: 0 };
      }
      const most = Math.max(size() - batch.bytes, SYNC_LIMITS.piece_bytes);
      const end = Math.min(content.size, offset + most);
      batch.parts.push({ content: { ...content, offset }, end });
      batch.bytes += end - offset;
      offset = end;
    } while (offset < content.size);
  }
  if (batch.parts.length > 0) yield batch;
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
