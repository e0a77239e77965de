import { symlinkSync, unlinkSync } from 'node:fs';
import type { Entry, Refusal, Step } from '../contract/workspaces.ts';
import { parentOf, sameEntry } from './entry.ts';
import { findContents } from './listing.ts';
import { isFile, isFolder } from './look.ts';
import type { Look } from './look.ts';
import { findLinkFault, findPathFault } from './names.ts';
import { openPlace, PlaceError, removeFolder } from './place.ts';
import type { Place } from './place.ts';
import { moveAtOnce, setMode } from './staging.ts';
import type { Staging } from './staging.ts';
import type { Row, Rows } from './tree-state.ts';

export interface ApplyOptions {
  root: string;
  /** As the last scan found them. They are brought up to date. */
  rows: Rows;
  staging: Staging;
  /** Awaited now and then; may throw to stop between two files. */
  pause?: () => Promise<void>;
  platform?: string;
}

export interface Applied {
  done: Step[];
  refused: Refusal[];
}

const PAUSE_EVERY = 256;

/**
 * Takes these steps in a tree. Each file is what it was or what it shall be, never half; what isn't any more what was expected
 * is left alone and named. Contents come from `staging`, or from files of the tree that have them already.
 */
export async function applySteps(steps: readonly Step[], options: ApplyOptions): Promise<Applied> {
  const run = createRun(options);
  try {
    const valid = steps.filter((step) => run.attempt(step, () => run.check(step)));
    const removals = valid.filter(
      ({ want, expect }) => want === null || (expect !== null && !isSameKind(want, expect)),
    );
    const puts = valid.filter(({ want }) => want !== null).sort((a, b) => (a.path < b.path ? -1 : 1));
    await run.each(puts, (step) => run.gather(step, removals));
    await run.each(
      removals.sort((a, b) => (a.path > b.path ? -1 : 1)),
      (step) => run.remove(step),
    );
    await run.each(puts, (step) => run.put(step));
    // Empty now that files have moved out of them.
    await run.each(
      removals.filter(({ want, expect }) => want === null && expect?.kind === 'folder'),
      (step) => run.remove(step),
    );
    run.finish(puts);
    return { done: valid.filter((step) => !run.failed.has(step.path)), refused: run.refused };
  } finally {
    run.close();
  }
}

function isSameKind(a: Entry, b: Entry): boolean {
  return a.kind === b.kind;
}

/** A folder that makes way for something else has to be empty before. */
function isFolderReplaced({ want, expect }: Step): boolean {
  return want !== null && expect?.kind === 'folder';
}

/** A step that is not taken, and why. */
class Refused extends Error {}

const REASONS: Record<string, string> = {
  EEXIST: 'something is there already',
  EACCES: 'it may not be written',
  EPERM: 'it may not be written',
  EROFS: 'it may not be written',
  ENAMETOOLONG: 'its name is too long for this file system',
  EINVAL: 'this file system does not take its name',
  EILSEQ: 'this file system does not take its name',
  EBUSY: 'it is in use',
  ENOENT: 'it vanished meanwhile',
  ENOTDIR: 'a folder above it is none any more',
  ELOOP: 'a link has taken its place',
  EISDIR: 'a folder has taken its place',
};

/** A disk that is full, or broken, stops everything: the steps that were taken are whole, and the others are still to be taken. */
function describeRefusal(error: unknown): string | undefined {
  if (error instanceof Refused) return error.message;
  if (error instanceof PlaceError) return 'a folder above it is none any more';
  return REASONS[(error as NodeJS.ErrnoException).code ?? ''];
}

function isUnchanged(row: Row, look: Look): boolean {
  const { entry } = row;
  if (entry?.kind === 'folder') return isFolder(look);
  if (row.mtime_ms !== look.mtimeMs || row.ctime_ms !== look.ctimeMs || row.inode !== look.ino) return false;
  return entry?.kind !== 'file' || (isFile(look) && look.size === entry.size);
}

function hashOf(entry: Entry | null): string {
  return entry?.kind === 'file' ? entry.hash : '';
}

function createRun({ root, rows, staging, pause, platform }: ApplyOptions) {
  const place: Place = openPlace(root, platform);
  const refused: Refusal[] = [];
  const failed = new Set<string>();
  /** Files that are to go and whose content is wanted elsewhere: hash to path. They are moved. */
  const moving = new Map<string, string>();
  /** How many steps still want a content. */
  const wanted = new Map<string, number>();
  let donors: Map<string, string> | undefined;
  let goneOf: Set<string> | undefined;
  let count = 0;

  /** Throws unless what is at the path is what the step expects. */
  const expectAt = (step: Step): void => {
    const look = place.look(step.path);
    if (look === undefined) {
      if (step.expect === null) return;
      throw new Refused('it is gone');
    }
    // Removed a moment ago by another step, or a folder made for one: `put` looks again.
    const row = rows.get(step.path);
    const isSame = row !== undefined && isUnchanged(row, look) && sameEntry(row.entry ?? null, step.expect);
    if (!isSame) throw new Refused(step.expect === null ? 'something is there already' : 'it has changed meanwhile');
  };

  const findDonor = (hash: string): string | undefined =>
    (donors ??= findContents(rows, new Set(wanted.keys()))).get(hash);

  const record = (path: string, entry: Entry, look: Look, mixed = false): void => {
    const times = { mtime_ms: look.mtimeMs, ctime_ms: look.ctimeMs, inode: look.ino };
    rows.set(path, { entry, left: undefined, ...times, mixed, fresh: entry.kind === 'folder' });
    touch(parentOf(path));
  };
  /** The names in it are to be read by the next scan: others may write there, too. */
  const touch = (folder: string): void => {
    const row = rows.get(folder);
    if (row !== undefined && !row.fresh) rows.set(folder, { ...row, fresh: true });
  };
  const madeFolder = (path: string): void => {
    const look = place.look(path);
    if (look !== undefined) record(path, { kind: 'folder', mode: look.mode & 0o777 }, look);
  };

  const putFile = (step: Step, want: Entry & { kind: 'file' }): void => {
    const isNew = step.expect?.kind !== 'file';
    const target = place.make(step.path, madeFolder);
    const left = (wanted.get(want.hash) ?? 1) - 1;
    wanted.set(want.hash, left);
    if (step.expect?.kind === 'file' && step.expect.hash === want.hash) return setMode(target, want.mode);
    const source = moving.get(want.hash);
    if (source !== undefined && !staging.has(want.hash)) {
      // The last one who wants it gets the file itself.
      moving.delete(want.hash);
      moveAtOnce(place.locate(source), target, !isNew);
      rows.delete(source);
      touch(parentOf(source));
      return setMode(target, want.mode);
    }
    if (!staging.has(want.hash)) throw new Refused('its content has not arrived');
    staging.place(want.hash, target, { mode: want.mode, replace: !isNew, keep: left > 0 });
  };

  return {
    refused,
    failed,

    check(step: Step): void {
      const fault =
        findPathFault(step.path) ??
        (step.want?.kind === 'link' ? findLinkFault(step.path, step.want.target) : undefined);
      if (fault !== undefined) throw new Refused(fault);
      // A file that is new is put where nothing is, or not at all: that says the same later.
      if (step.expect !== null || step.want?.kind !== 'file' || !staging.has(step.want.hash)) expectAt(step);
      if (step.want?.kind === 'file') wanted.set(step.want.hash, (wanted.get(step.want.hash) ?? 0) + 1);
    },

    /** Sees that the content will be there, whatever is removed or replaced before. */
    gather({ want, expect }: Step, removals: readonly Step[]): void {
      if (want?.kind !== 'file' || staging.has(want.hash) || moving.has(want.hash)) return;
      if (expect?.kind === 'file' && expect.hash === want.hash) return;
      const donor = findDonor(want.hash);
      const row = donor === undefined ? undefined : rows.get(donor);
      const look = donor === undefined ? undefined : place.look(donor);
      if (donor === undefined || row === undefined || look === undefined || !isUnchanged(row, look)) return;
      const goes = (goneOf ??= new Set(removals.map(({ path }) => path))).has(donor);
      if (goes && wanted.get(want.hash) === 1 && !removals.some(isFolderReplaced)) moving.set(want.hash, donor);
      else staging.copy(want.hash, place.locate(donor));
    },

    remove(step: Step): void {
      if (moving.has(hashOf(step.expect)) && moving.get(hashOf(step.expect)) === step.path) return;
      if (place.look(step.path) === undefined) return;
      expectAt(step);
      const at = place.locate(step.path);
      if (step.expect?.kind === 'folder') {
        place.forget(step.path);
        // What takes no part keeps its folder.
        if (!removeFolder(at)) {
          if (step.want !== null) throw new Refused('the folder there is not empty');
          return;
        }
      } else unlinkSync(at);
      rows.delete(step.path);
      touch(parentOf(step.path));
    },

    put(step: Step): void {
      const { want } = step;
      if (want === null) return;
      const replaces = step.expect !== null && isSameKind(want, step.expect);
      if (replaces) expectAt(step);
      const fresh = replaces ? step : { ...step, expect: null };
      if (want.kind === 'file') putFile(fresh, want);
      else if (want.kind === 'folder') {
        if (!replaces) place.make(`${step.path}/x`, madeFolder);
      } else {
        const target = place.make(step.path, madeFolder);
        if (replaces) unlinkSync(target);
        symlinkSync(want.target, target);
      }
      place.check(step.path);
      const look = place.look(step.path);
      if (look === undefined) throw new Refused('it vanished while it was written');
      record(step.path, want, look, rows.get(step.path)?.mixed);
    },

    /** Runs one step's part; a failure of its own is named, and the others go on. */
    attempt(step: Step, work: () => void): boolean {
      if (failed.has(step.path)) return false;
      try {
        work();
        return true;
      } catch (error) {
        const reason = describeRefusal(error);
        if (reason === undefined) throw error;
        failed.add(step.path);
        refused.push({ path: step.path, reason });
        return false;
      }
    },

    async each(list: readonly Step[], work: (step: Step) => void): Promise<void> {
      for (const step of list) {
        if (++count % PAUSE_EVERY === 0) await pause?.();
        this.attempt(step, () => work(step));
      }
    },

    /** Folders get their modes when all is in them. */
    finish(puts: readonly Step[]): void {
      for (const step of puts.toReversed()) {
        const { want } = step;
        if (want?.kind === 'folder')
          this.attempt(step, () => {
            setMode(place.locate(step.path), want.mode);
            touch(step.path);
          });
      }
      for (const source of moving.values()) {
        failed.add(source);
        refused.push({ path: source, reason: 'its new name could not be given' });
      }
    },

    close: () => place.close(),
  };
}
