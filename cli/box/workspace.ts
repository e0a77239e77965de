import { basename, relative, sep } from 'node:path';
import { realpath } from 'node:fs/promises';
import { SpoqError } from '../../contract/errors.ts';
import { RunWorkspace } from '../../contract/run.ts';
import { findProjectRoot } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';

/** Where on the box the work is done. */
export interface ChosenWorkspace {
  workspace: string;
  snapshot?: string;
  cwd?: string;
}

/** The workspace of this folder, and where in it the person is. `name` when it was given. Throws `invalid_request`. */
export async function chooseWorkspace(deps: CliDeps, name: string | undefined): Promise<ChosenWorkspace> {
  const root = await findProjectRoot(deps.cwd);
  const workspace = name ?? nameWorkspace(basename(root));
  if (!RunWorkspace.safeParse(workspace).success) {
    throw new SpoqError('invalid_request', {
      detail: `'${workspace}' cannot be the name of a workspace.`,
      next: 'Give one with --workspace: small letters, digits and hyphens.',
    });
  }
  const here = relative(root, await realpath(deps.cwd).catch(() => deps.cwd));
  return { workspace, ...(here === '' || here.startsWith('..') ? {} : { cwd: here.split(sep).join('/') }) };
}

/** A folder's name as that of a workspace. */
export function nameWorkspace(folder: string): string {
  const name = folder.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return name.slice(0, 63).replaceAll(/^-+|-+$/g, '');
}
