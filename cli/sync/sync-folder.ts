import { randomUUID } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { SpoqError } from '../../contract/errors.ts';
import type { Change, Entry, ScanAnswer } from '../../contract/workspaces.ts';
import { applySteps } from '../../sync/apply.ts';
import { agreeOn, toChanges } from '../../sync/changes.ts';
import type { ColumnParts } from '../../sync/columns.ts';
import type { Layered } from '../../sync/layered.ts';
import { findContents } from '../../sync/listing.ts';
import type { Direction, Holds, Merge } from '../../sync/merge.ts';
import { findOdd, scanTree } from '../../sync/scan.ts';
import type { Scan } from '../../sync/scan.ts';
import { settleOnDisk } from '../../sync/settle.ts';
import { openStaging } from '../../sync/staging.ts';
import { packRows, readStoredState, saveTreeState, STATE_FILE } from '../../sync/stored-state.ts';
import { createTreeState, forgetBase } from '../../sync/tree-state.ts';
import type { TreeState } from '../../sync/tree-state.ts';
import type { BoxWorkspace } from './box-workspace.ts';
import type { SyncedFolder } from './folders.ts';
import type { Placed } from './placing.ts';
import { NOTHING_EARLY, startEarlySending } from './early.ts';
import type { Early, EarlySending } from './early.ts';
import { mergeSides } from './merge-sides.ts';
import { createSender } from './sender.ts';
import type { Part } from './sender.ts';
import { describeSame } from './synced.ts';
import type { Phase, Synced } from './synced.ts';
import { countBytes, fetchContents, INLINE_BYTES, listMissing, listWanted, readAll, sendContents } from './transfer.ts';

export interface SyncOptions {
  folder: SyncedFolder;
  /** Where the state of the folder is kept. */
  home: string;
  direction: Direction;
  /** Deletes as many files as were deleted on the other side. */
  deleteMany: boolean;
  dryRun: boolean;
  /** Of this computer, and of the box, for the names of conflicts. */
  hostname: string;
  boxName: string;
  /** Of the file system here. */
  holds: Holds;
  now: number;
  signal: AbortSignal;
  onPhase(phase: Phase): Promise<void> | void;
}

/**
 * Makes a folder and its workspace the same. Both look at their trees at the same time; where nothing has changed that is all. It may
 * be stopped anywhere: files are old or new, and what has arrived is used by the next sync.
 */
export async function syncFolder(box: BoxWorkspace, options: SyncOptions): Promise<Synced> {
  const { folder, home, signal } = options;
  const file = join(home, STATE_FILE);
  const pause = async (): Promise<void> => {
    await turn();
    signal.throwIfAborted();
  };
  const identity = { id: folder.id, host: options.hostname.slice(0, 255), path: folder.path };
  // The box looks at its tree while we look at ours, from the first moment on.
  const stored = readStoredState(file);
  // The box looks at its tree while we look at ours.
  const asking = box.scan({ folder: identity, base: stored?.base_id ?? null, allow: folder.allow });
  asking.catch(() => undefined); // It is awaited below; a failure of our own scan comes first.
  await options.onPhase({ type: 'compare' });
  await turn();
  const odd =
    stored?.allow.join('\0') === folder.allow.join('\0')
      ? await findOdd(folder.path, stored.columns, pause)
      : undefined;
  if (stored?.agrees === true && stored.base_id !== null && odd?.length === 0) {
    const { base_known, changes, left_out } = await asking;
    if (base_known && changes.length === 0) return describeSame(stored.columns.listLeftOut(), left_out);
  }
  const state = stored?.load() ?? createTreeState();
  const early = startEarly(asking, state, box, options, pause);
  const look = async (): Promise<[Scan, ScanAnswer, Early]> => [
    await scanTree(folder.path, state, { allow: folder.allow, pause, ...early?.options }, odd),
    await asking,
    (await early?.end()) ?? NOTHING_EARLY,
  ];
  const [scan, answer, ahead] = await look().catch((error: unknown) => {
    if (agreeOnPlaced(state, early?.placed())) saveTreeState(file, state);
    throw error;
  });
  if (!scan.exists) throw new SpoqError('sync_refused', { detail: `${folder.path} is gone.` });
  state.rows = scan.rows;
  const changedRows = scan.changed || state.allow.length !== folder.allow.length;
  state.allow = [...folder.allow];
  const placed = early?.placed();
  if (agreeOnPlaced(state, placed)) answer.base_known = true;
  const { merge, theirs } = mergeSides(state, scan, answer, options);
  const result: Synced = {
    ...describeSame(scan.left_out, answer.left_out),
    here: merge.mine,
    box: [...(placed?.steps ?? []), ...merge.theirs],
    notes: merge.notes,
  };
  if (options.dryRun) return result;
  if (
    merge.mine.length + merge.theirs.length + merge.agreed.length === 0 &&
    state.base_id !== null &&
    answer.base_known
  ) {
    if (changedRows) saveTreeState(file, state);
    return result;
  }
  let packed: ColumnParts | undefined;
  const onWait = (): void => {
    packed = packRows(state.rows);
  };
  try {
    await carryOut(box, state, scan, answer, ahead, { ...merge, tree: theirs }, result, options, pause, onWait);
    result.box = [...(placed?.steps ?? []), ...result.box];
  } finally {
    saveTreeState(file, state, packed);
  }
  return result;
}

/** What was placed already both sides have. False where nothing was. */
function agreeOnPlaced(state: TreeState, placed: Placed | undefined): boolean {
  if (placed === undefined) return false;
  forgetBase(state);
  agreeOn(state, state.base, placed.base, toChanges(placed.steps));
  return true;
}

/** Where nothing was agreed on, most of what is here will have to go there. */
function startEarly(
  asking: Promise<ScanAnswer>,
  state: TreeState,
  box: BoxWorkspace,
  { folder, direction, dryRun, signal, onPhase }: SyncOptions,
  pause: () => Promise<void>,
): EarlySending | undefined {
  if (state.base_id !== null || direction === 'pull' || dryRun) return undefined;
  return startEarlySending({ box, folder: folder.id, answer: asking, signal, pause, onPhase });
}

async function carryOut(
  box: BoxWorkspace,
  state: TreeState,
  scan: Scan,
  answer: ScanAnswer,
  ahead: Early,
  merge: Merge & { tree: Layered<Entry> },
  result: Synced,
  options: SyncOptions,
  pause: () => Promise<void>,
  /** Told when the rows are final and the box is at work. */
  onWait: () => void,
): Promise<void> {
  const { folder, home, signal } = options;
  // Only the contents that a step wants are looked for.
  const wanted = listWanted([...merge.mine, ...merge.theirs]);
  const ours = findContents(scan.rows, wanted);
  const onBox = findContents(merge.tree, wanted);
  const staging = openStaging(`${home}/staged`);
  let settled: Change[] = [...merge.agreed];
  try {
    const toFetch = listMissing(
      merge.mine,
      (hash) => ours.has(hash) || staging.has(hash),
      staging.list(),
      (hash) => (onBox.has(hash) ? '' : undefined),
    );
    result.fetched_bytes = countBytes(toFetch);
    demandRoom(home, result.fetched_bytes);
    if (toFetch.length > 0) {
      const phase = { type: 'fetch', files: toFetch.length, bytes: result.fetched_bytes } as const;
      await options.onPhase({ ...phase, done: 0 });
      await fetchContents(box, folder.id, toFetch, staging, (done) => void options.onPhase({ ...phase, done }), signal);
    }
    if (merge.mine.length > 0) {
      await options.onPhase({ type: 'apply', where: 'here', steps: merge.mine.length });
      const applied = await applySteps(merge.mine, { root: folder.path, rows: state.rows, staging, pause });
      if (applied.done.length > 0) await settleOnDisk(folder.path);
      result.here = applied.done;
      result.refused.push(...applied.refused.map((one) => ({ ...one, where: 'here' as const })));
      settled = [...settled, ...toChanges(applied.done)];
    }
    await staging.close();
    const refusedHere = new Set(result.refused.map(({ path }) => path));
    const steps = merge.theirs.map((step) => (refusedHere.has(step.path) ? { ...step, agree: false } : step));
    // What is to be done on the box as well is settled by the box.
    const alsoThere = new Set(steps.map(({ path }) => path));
    settled = settled.filter(([path]) => !alsoThere.has(path));
    // Our own steps may have moved a content.
    const now = merge.mine.length === 0 ? ours : findContents(state.rows, listWanted(steps));
    const toSend = listMissing(
      steps,
      (hash) => onBox.has(hash) || ahead.sent.has(hash),
      answer.staged,
      (hash) => {
        const path = now.get(hash);
        return path === undefined ? undefined : `${folder.path}/${path}`;
      },
    );
    const missing = countBytes(toSend);
    result.sent_bytes = ahead.bytes + missing;
    if (result.sent_bytes > answer.free_bytes)
      throw new SpoqError('box_full', {
        detail: `${result.sent_bytes} bytes are to be sent, and ${answer.free_bytes} are free.`,
      });
    const inline = missing <= INLINE_BYTES;
    if (!inline) {
      const phase = { type: 'send' as const, files: toSend.length, bytes: missing, done: 0 };
      await options.onPhase(phase);
      const onSent = (parts: readonly Part[]): void => {
        phase.done += parts.reduce((sum, { length }) => sum + length, 0);
        void options.onPhase({ ...phase });
      };
      await sendContents(createSender({ box, folder: folder.id, signal, onSent }), toSend);
    }
    if (steps.length > 0) await options.onPhase({ type: 'apply', where: 'box', steps: steps.length });
    const next = randomUUID();
    const contents = inline ? toSend.map(({ hash, size, offset }) => ({ hash, size, offset })) : [];
    const request = {
      folder: folder.id,
      base: answer.base_known ? state.base_id : null,
      next_base: next,
      steps,
      agreed: settled,
      contents,
    };
    const applying = box.apply(request, inline ? readAll(toSend) : []);
    await Promise.race([applying, turn()]);
    onWait();
    const { refused } = await applying;
    result.refused.push(...refused.map((one) => ({ ...one, where: 'box' as const })));
    const failed = new Set(refused.map(({ path }) => path));
    result.box = steps.filter(({ path }) => !failed.has(path));
    agreeOn(state, state.base, next, [...settled, ...toChanges(result.box)]);
    if (result.refused.length === 0) staging.clear();
  } finally {
    staging.close();
  }
}

function demandRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bytes <= bavail * bsize) return;
  throw new SpoqError('file_unusable', {
    detail: `${bytes} bytes are to be brought, and ${bavail * bsize} are free on this computer.`,
    next: 'Make room here; nothing was changed.',
  });
}
