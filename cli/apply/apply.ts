import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { ChangedFile } from '../../contract/run.ts';
import type { CliDeps } from '../deps.ts';
import { mergeText } from './merge-text.ts';
import { findDanger, hashBlob, LINK, planFile, readLocal } from './plan.ts';
import type { Local } from './plan.ts';

/** What became of one file. */
export interface Applied {
  path: string;
  action: 'take' | 'remove' | 'merge' | 'same' | 'conflict';
  reason?: string;
  /** Where the box's version lies, beside the one of here. */
  kept?: string;
}

interface Step {
  change: ChangedFile;
  local: Local;
  action: Applied['action'];
  reason?: string;
  /** What is written: where it is not removed. */
  content?: Uint8Array;
}

/**
 * Makes the files in `root` what a run has made of them. All is read and checked before the first is written; each is written atomically, and
 * only where it still is what was checked. Run again, it goes on where it was. Throws `changes_conflict` before anything when a path is not
 * to be written to.
 */
export async function applyChanges(
  deps: CliDeps,
  root: string,
  changes: ChangedFile[],
  readObject: (object: string) => Promise<Uint8Array>,
): Promise<Applied[]> {
  const steps = await prepare(deps, root, changes, readObject);
  const applied: Applied[] = [];
  for (const step of steps) {
    deps.signal.throwIfAborted();
    applied.push(await perform(root, step));
  }
  return applied;
}

async function prepare(
  deps: CliDeps,
  root: string,
  changes: ChangedFile[],
  readObject: (object: string) => Promise<Uint8Array>,
): Promise<Step[]> {
  const fetchObject = async (object: string): Promise<Uint8Array> => {
    const content = await readObject(object);
    if (hashBlob(content, object.length) === object) return content;
    throw new SpoqError('box_unreachable', { detail: 'The box sent a file that is not the one that was asked for.' });
  };
  const dangers: { field: string; message: string }[] = [];
  const steps: Step[] = [];
  for (const change of changes) {
    deps.signal.throwIfAborted();
    const content = change.object === null ? undefined : await fetchObject(change.object);
    const target = change.mode === LINK && content !== undefined ? Buffer.from(content).toString('utf8') : undefined;
    const danger = await findDanger(root, change, target);
    if (danger !== undefined) {
      dangers.push({ field: change.path, message: danger });
      continue;
    }
    const local = await readLocal(root, change.path, (change.object ?? change.base_object ?? '').length);
    steps.push(await prepareFile(deps, { root, change, local, content }, fetchObject));
  }
  if (dangers.length > 0) {
    throw new SpoqError('forbidden', {
      detail: 'The run has made files that are not to be taken over. Nothing was changed here.',
      faults: dangers,
      next: 'Look at them with `spoq diff`; `spoq run -c` can have them removed.',
    });
  }
  return steps;
}

async function prepareFile(
  deps: CliDeps,
  given: { root: string; change: ChangedFile; local: Local; content: Uint8Array | undefined },
  fetchObject: (object: string) => Promise<Uint8Array>,
): Promise<Step> {
  const { root, change, local, content } = given;
  const common = { change, local, ...(content === undefined ? {} : { content }) };
  const plan = planFile(change, local);
  if (plan.action === 'conflict') return { ...common, ...plan };
  if (plan.action === 'same') return { ...common, action: 'same' };
  if (plan.action === 'take') return { ...common, action: content === undefined ? 'remove' : 'take' };
  const here = await readFile(join(root, change.path));
  const base = change.base_object === null ? new Uint8Array() : await fetchObject(change.base_object);
  const merged = await mergeText(deps, { base, here, there: content ?? new Uint8Array() });
  if (merged === undefined) return { ...common, action: 'conflict', reason: 'changed on both sides in the same place' };
  return { change, local, action: 'merge', content: merged };
}

async function perform(root: string, step: Step): Promise<Applied> {
  const { change, local, action, content } = step;
  const { path } = change;
  if (action === 'same') return { path, action };
  if (action === 'conflict') return keepBoth(root, step, step.reason ?? 'changed on both sides');
  const length = (change.object ?? change.base_object ?? '').length;
  // Somebody may have saved it since it was looked at.
  const now = await readLocal(root, path, length);
  if (now.object !== local.object || now.mode !== local.mode || now.odd)
    return keepBoth(root, step, 'changed here just now');
  if (action === 'remove') {
    await rm(join(root, path));
    await removeEmpty(root, dirname(path));
  } else if (content !== undefined) {
    await write(root, path, content, change.mode, local.object === null);
  }
  return { path, action };
}

/** The version of here stays, that of the box lies beside it. */
async function keepBoth(root: string, { change, content }: Step, reason: string): Promise<Applied> {
  if (content === undefined || change.mode === LINK) return { path: change.path, action: 'conflict', reason };
  const beside = `${change.path}.from-box`;
  for (let count = 1; ; count += 1) {
    const kept = count === 1 ? beside : `${beside}-${count}`;
    const there = await readLocal(root, kept, change.object?.length ?? 40);
    if (there.object === change.object) return { path: change.path, action: 'conflict', reason, kept };
    if (there.object !== null || there.odd) continue;
    await write(root, kept, content, change.mode, true);
    return { path: change.path, action: 'conflict', reason, kept };
  }
}

/** The old file or the new one, never half of one. `isNew`: something that came there meanwhile is not replaced. */
async function write(root: string, path: string, content: Uint8Array, mode: number, isNew: boolean): Promise<void> {
  const target = join(root, path);
  await mkdir(dirname(target), { recursive: true });
  const draft = join(dirname(target), `.spoq-${randomUUID()}.tmp`);
  try {
    if (mode === LINK) await symlink(Buffer.from(content).toString('utf8'), draft);
    else {
      await writeFile(draft, content, { flag: 'wx', flush: true });
      await chmod(draft, mode & 0o777);
    }
    if (isNew && mode !== LINK) await link(draft, target);
    else await rename(draft, target);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Git knows no empty folders: one whose last file went is gone on the box. */
async function removeEmpty(root: string, folder: string): Promise<void> {
  for (let at = folder; at !== '.'; at = dirname(at)) {
    try {
      await rmdir(join(root, at));
    } catch {
      return; // there is something in it
    }
  }
}
