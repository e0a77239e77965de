import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CliDeps } from '../deps.ts';
import { findRepository } from './git.ts';
import { createIgnoreRules } from '../../sync/rules/ignore-rules.ts';

/** A folder that was named by mistake, such as the home folder, isn't walked for ever. */
const MAX_FILES = 5000;
/** Never source, even where nobody wrote a .gitignore. */
const SKIPPED = new Set(['.git', '.hg', '.svn', 'node_modules', '.venv', '__pycache__']);

/** The absolute paths of the files in a folder: what git lists where it is in a repository, else a walk by `.gitignore`. */
export async function listFolder(deps: Pick<CliDeps, 'env'>, folder: string): Promise<string[]> {
  const repository = await findRepository(deps, folder, '.');
  if (repository !== undefined) {
    return [...repository.tracked, ...repository.untracked]
      .map((path) => join(repository.root, path))
      .slice(0, MAX_FILES);
  }
  const rules = createIgnoreRules(folder, '.gitignore');
  const files: string[] = [];
  const pending = [''];
  for (let next = pending.shift(); next !== undefined && files.length < MAX_FILES; next = pending.shift()) {
    const entries = await readdir(join(folder, next), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${next}${entry.name}`;
      if (SKIPPED.has(entry.name) || rules.isIgnored(entry.isDirectory() ? `${path}/` : path)) continue;
      if (entry.isDirectory()) pending.push(`${path}/`);
      else files.push(join(folder, path));
    }
  }
  return files.slice(0, MAX_FILES);
}
