import { STATE_FILE } from '../../sync/stored-state.ts';
import { join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import type { Direction } from '../../sync/merge.ts';
import { withFileLock } from '../auth/lock.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import type { CliDeps } from '../deps.ts';
import { openBoxWorkspace } from '../sync/box-workspace.ts';
import type { BoxWorkspace } from '../sync/box-workspace.ts';
import { addFolder, findFolder, findSyncHome, forgetFolder, saveFolder } from '../sync/folders.ts';
import type { SyncedFolder } from '../sync/folders.ts';
import { createReporter } from '../sync/report.ts';
import type { Reporter } from '../sync/report.ts';
import { syncFolder } from '../sync/sync-folder.ts';
import type { Synced } from '../sync/synced.ts';
import { watchFolder } from '../sync/watch-folder.ts';

export interface SyncCommandOptions {
  json: boolean;
  noColor: boolean;
  direction: Direction;
  watch: boolean;
  dryRun: boolean;
  delete: boolean;
  allow: string[];
  name?: string | undefined;
}

/** A line that is cut is tried again so often: what has arrived stays. */
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

/** `spoq sync`: makes the folder here and its workspace on the box the same. */
export async function runSync(deps: CliDeps, options: SyncCommandOptions): Promise<void> {
  const box = await findBox(deps);
  if (box.on_box) {
    const message = 'This is the box: the folder is already here. Workspaces are in ~/workspaces.';
    await deps.stdout.write(options.json ? `${JSON.stringify({ type: 'on_box' })}\n` : `${message}\n`);
    return;
  }
  const reporter = createReporter(deps, options, box);
  try {
    const opened = await openFolder(deps, box, options, reporter);
    const sync = (): Promise<Synced> => syncPatiently(deps, opened, options, reporter);
    await reporter.result(await sync().catch((error: unknown) => giveUpName(deps, opened, error)), opened.folder);
    if (options.watch && !options.dryRun) await watchFolder(deps, box, opened.folder, sync, reporter);
  } finally {
    await reporter.stop();
  }
}

export interface BeforeRun {
  allow?: string[];
  name?: string;
  json?: boolean;
  noColor?: boolean;
}

/** What `spoq run` does first: both sides are the same afterwards, and `snapshot` is the commit of that on the box. */
export async function syncBeforeRun(
  deps: CliDeps,
  box: BoxAccess,
  folder: string,
  options: BeforeRun = {},
): Promise<{ workspace: string; snapshot: string }> {
  const command: SyncCommandOptions = {
    json: options.json ?? false,
    noColor: options.noColor ?? false,
    direction: 'both',
    watch: false,
    dryRun: false,
    delete: false,
    allow: options.allow ?? [],
    name: options.name,
  };
  // Standard output is the run's: a program's bytes, or its events.
  const here = { ...deps, cwd: folder, stdout: deps.stderr };
  const reporter = createReporter(here, command, box);
  try {
    const opened = await openFolder(here, box, command, reporter);
    const sync = syncPatiently(here, opened, command, reporter);
    await reporter.result(await sync.catch((error: unknown) => giveUpName(here, opened, error)), opened.folder);
    const { commit } = await opened.workspace.snapshot();
    return { workspace: opened.folder.name, snapshot: commit };
  } finally {
    await reporter.stop();
  }
}

/** A name that another folder has is not this one's. */
async function giveUpName(deps: CliDeps, { folder, isNew }: Opened, error: unknown): Promise<never> {
  if (isNew && error instanceof SpoqError && error.code === 'workspace_taken')
    await withFileLock(join(findSyncHome(deps), 'folders.json'), async () => forgetFolder(deps, folder));
  throw error;
}

interface Opened {
  isNew: boolean;
  folder: SyncedFolder;
  box: BoxAccess;
  workspace: BoxWorkspace;
}

async function openFolder(
  deps: CliDeps,
  box: BoxAccess,
  options: SyncCommandOptions,
  reporter: Reporter,
): Promise<Opened> {
  let found = chooseFolder(deps, box, options);
  if (found.isChanged) {
    // Another spoq may begin with this folder, or with another one, at the same time.
    found = await withFileLock(join(findSyncHome(deps), 'folders.json'), async () => {
      const now = chooseFolder(deps, box, options);
      if (now.isChanged) saveFolder(deps, now.folder);
      return now;
    });
  }
  const { folder, isNew } = found;
  return { isNew, folder, box, workspace: openBoxWorkspace(deps, box, folder.name, reporter.wait) };
}

/** The folder as this sync wants it. `isChanged`: it is not written down like that. */
function chooseFolder(
  deps: CliDeps,
  box: BoxAccess,
  options: SyncCommandOptions,
): { folder: SyncedFolder; isNew: boolean; isChanged: boolean } {
  const host = box.url.host;
  const { path, known } = findFolder(deps, host);
  if (known !== undefined && options.name !== undefined && options.name !== known.name)
    throw new SpoqError('workspace_taken', {
      detail: `${path} is synced with the workspace '${known.name}'.`,
      next: `Leave --name out. To begin anew, remove it from ${join(findSyncHome(deps), 'folders.json')}.`,
    });
  const folder = known ?? addFolder(path, host, options.name);
  const allow = [...new Set([...folder.allow, ...options.allow.map((one) => toRelative(deps, path, one))])].sort();
  const isNew = known === undefined;
  return { folder: { ...folder, allow }, isNew, isChanged: isNew || allow.length !== folder.allow.length };
}

function toRelative(deps: CliDeps, root: string, path: string): string {
  const absolute = path.startsWith('/') ? path : join(deps.cwd, path);
  if (!absolute.startsWith(`${root}/`))
    throw new SpoqError('invalid_request', { detail: `--allow ${path} is not in ${root}.` });
  return absolute.slice(root.length + 1);
}

async function syncPatiently(
  deps: CliDeps,
  { folder, box, workspace }: Opened,
  options: SyncCommandOptions,
  reporter: Reporter,
): Promise<Synced> {
  const home = join(findSyncHome(deps), folder.id);
  return withFileLock(join(home, STATE_FILE), async () => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await syncFolder(workspace, {
          folder,
          home,
          direction: options.direction,
          deleteMany: options.delete,
          dryRun: options.dryRun,
          hostname: deps.hostname,
          boxName: box.url.hostname.split('.')[0] ?? 'box',
          holds: { case: deps.platform === 'linux', unicode: deps.platform !== 'darwin' },
          now: deps.now(),
          signal: deps.signal,
          onPhase: reporter.phase,
        });
      } catch (error) {
        if (error instanceof SpoqError && error.code === 'cancelled' && !options.json && !options.dryRun)
          await reporter.say('Both sides are whole. What has arrived is kept for the next spoq sync.');
        const isCut =
          error instanceof SpoqError &&
          ['box_unreachable', 'workspace_changed', 'files_unavailable'].includes(error.code);
        if (!isCut || attempt === ATTEMPTS) throw error;
        await reporter.wait(`${error.detail ?? error.title} What has arrived is kept; trying again.`);
        await deps.sleep(PAUSE_MS * attempt, deps.signal);
      }
    }
  });
}
