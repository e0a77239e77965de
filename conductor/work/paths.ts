import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { WorkError } from '../workplace/workplace.ts';
import { explain } from './processes.ts';

/**
 * The real path of something below the tree; its last parts may not be there yet. Links are followed and may not lead out. What
 * happens between this check and the use is no way out of the confinement: it is the run's own doing, with the run's own rights.
 */
export async function resolveInside(tree: string, name: string): Promise<string> {
  const root = await realpath(tree);
  const given = path.resolve(root, path.isAbsolute(name) ? path.join(root, path.relative(tree, name)) : name);
  requireInside(root, given, name);
  let found = given;
  const missing: string[] = [];
  for (;;) {
    const real = await realpath(found).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw explain(error, name);
    });
    if (real !== undefined) {
      requireInside(root, real, name);
      return path.join(real, ...missing);
    }
    missing.unshift(path.basename(found));
    found = path.dirname(found);
  }
}

/** As the model and the patch name it. */
export function nameInside(tree: string, file: string): string {
  return path.relative(tree, file);
}

function requireInside(root: string, file: string, name: string): void {
  if (file === root || file.startsWith(`${root}/`)) return;
  throw new WorkError('outside', `${name} is outside of the workspace. Name a path below it.`);
}
