import { realpathSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import { RunWorkspace } from '../../contract/run.ts';
import { syncBeforeRun } from '../commands/sync.ts';
import type { CliDeps } from '../deps.ts';
import { findFolder } from '../sync/folders.ts';
import type { BoxAccess } from './connection.ts';

/** Where on the box the work is done. */
export interface ChosenWorkspace {
  workspace: string;
  snapshot?: string;
  cwd?: string;
}

export interface WorkspaceOptions {
  json: boolean;
  noColor: boolean;
  /** Given by the person. */
  workspace?: string;
  /** False: as it is on the box. */
  sync: boolean;
}

/** The folder here that a workspace is of, and the workspace's name where that is known. */
export function findWorkspaceFolder(deps: CliDeps, box: BoxAccess): { path: string; name: string | undefined } {
  if (!box.on_box) {
    const { path, known } = findFolder(deps, box.url.host);
    return { path, name: known?.name };
  }
  const all = join(deps.homeFolder, 'workspaces');
  const [name = ''] = relative(all, realpathSync(deps.cwd)).split(sep);
  if (name !== '' && name !== '..') return { path: join(all, name), name };
  return { path: realpathSync(deps.cwd), name: undefined };
}

/** The workspace of this folder, made the same as the folder first, and where in it the person is. Throws `invalid_request` and what a sync throws. */
export async function chooseWorkspace(
  deps: CliDeps,
  box: BoxAccess,
  options: WorkspaceOptions,
): Promise<ChosenWorkspace> {
  const { path, name } = findWorkspaceFolder(deps, box);
  const here = relative(path, realpathSync(deps.cwd)).split(sep).join('/');
  const cwd = here === '' || here.startsWith('..') ? {} : { cwd: here };
  if (options.sync && !box.on_box && (options.workspace === undefined || options.workspace === name)) {
    const { json, noColor } = options;
    return { ...(await syncBeforeRun(deps, box, path, { json, noColor })), ...cwd };
  }
  const workspace = options.workspace ?? name;
  if (workspace !== undefined && RunWorkspace.safeParse(workspace).success)
    return { workspace, ...(workspace === name ? cwd : {}) };
  throw new SpoqError('invalid_request', {
    detail: workspace === undefined ? 'This folder has no workspace on the box.' : `'${workspace}' cannot be its name.`,
    next: box.on_box
      ? 'Go to one of ~/workspaces, or name it with --workspace.'
      : 'Sync it with `spoq sync`, or name one with --workspace.',
  });
}
