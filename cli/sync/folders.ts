import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import { WorkspaceName } from '../../contract/workspaces.ts';
import { replaceFile } from '../../sync/replace-file.ts';
import type { CliDeps } from '../deps.ts';

/** A folder of this computer that has a workspace on a box. */
export const SyncedFolder = z.object({
  path: z.string(),
  id: z.uuid(),
  /** Of the workspace. */
  name: WorkspaceName,
  /** The box that it is on. */
  host: z.string(),
  /** Paths that go along although they look secret. */
  allow: z.array(z.string()).default([]),
});
export type SyncedFolder = z.infer<typeof SyncedFolder>;

const List = z.object({ folders: z.array(SyncedFolder) });

/** Where this computer remembers what it syncs. */
export function findSyncHome(deps: Pick<CliDeps, 'env' | 'homeFolder'>): string {
  return join(deps.env.SPOQ_HOME || join(deps.homeFolder, '.spoq'), 'workspaces');
}

/** The folder to sync from `cwd`: the nearest that is synced already, else the repository around it, else itself. */
export function findFolder(deps: CliDeps, host: string): { path: string; known: SyncedFolder | undefined } {
  const cwd = realpathSync(deps.cwd);
  const folders = loadFolders(deps).filter((folder) => folder.host === host);
  const home = existsSync(deps.homeFolder) ? realpathSync(deps.homeFolder) : deps.homeFolder;
  for (let path = cwd; ; path = dirname(path)) {
    const known = folders.find((folder) => folder.path === path);
    if (known !== undefined) return { path, known };
    if (dirname(path) === path) break;
  }
  let root = cwd;
  for (let path = cwd; dirname(path) !== path && path !== home; path = dirname(path))
    if (existsSync(join(path, '.git'))) {
      root = path;
      break;
    }
  if (root === home || dirname(root) === root)
    throw new SpoqError('sync_refused', {
      detail: `${root} is all of your files, not a project.`,
      next: 'Go to the folder of a project and run it there.',
    });
  return { path: root, known: undefined };
}

/** Gives a folder its workspace, by that name or by its own. */
export function addFolder(path: string, host: string, name: string | undefined): SyncedFolder {
  const chosen = name ?? toName(basename(path));
  const valid = WorkspaceName.safeParse(chosen);
  if (!valid.success)
    throw new SpoqError('invalid_request', {
      detail: `'${chosen}' is no name for a workspace.`,
      next: 'Choose one with --name: small letters, digits and hyphens, 63 at most.',
    });
  return { path, id: randomUUID(), name: valid.data, host, allow: [] };
}

/** Remembers a folder, or what has changed of it. */
export function saveFolder(deps: CliDeps, folder: SyncedFolder): void {
  const folders = loadFolders(deps).filter(({ id }) => id !== folder.id);
  const home = findSyncHome(deps);
  mkdirSync(join(home, folder.id), { recursive: true, mode: 0o700 });
  replaceFile(join(home, 'folders.json'), `${JSON.stringify({ folders: [...folders, folder] }, null, 2)}\n`);
}

/** Forgets a folder that got no workspace. */
export function forgetFolder(deps: CliDeps, { id }: SyncedFolder): void {
  const home = findSyncHome(deps);
  const folders = loadFolders(deps).filter((folder) => folder.id !== id);
  replaceFile(join(home, 'folders.json'), `${JSON.stringify({ folders }, null, 2)}\n`);
  rmSync(join(home, id), { recursive: true, force: true });
}

function loadFolders(deps: CliDeps): SyncedFolder[] {
  const file = join(findSyncHome(deps), 'folders.json');
  try {
    return List.parse(JSON.parse(readFileSync(file, 'utf8'))).folders;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new SpoqError('file_unusable', {
      detail: `${file} is broken: it does not tell which folders are synced.`,
      next: `Move it away. The next sync compares everything anew; give each folder another --name then.`,
      cause: error,
    });
  }
}

function toName(text: string): string {
  const name = text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
  return name === '' ? 'project' : name;
}
