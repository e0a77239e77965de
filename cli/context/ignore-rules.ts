import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import ignore from 'ignore';
import type { Ignore } from 'ignore';

/** Decides by ignore files of one name, one per folder, as git does: deeper files and later lines win. */
export interface IgnoreRules {
  /** `path` is relative to the root, with slashes; a folder's ends in one. */
  isIgnored(path: string): Promise<boolean>;
}

/** Makes the rules for the files called `fileName` under `root`. Each is read once. */
export function createIgnoreRules(root: string, fileName: '.spoqignore' | '.gitignore'): IgnoreRules {
  const loaded = new Map<string, Promise<Ignore | undefined>>();
  const load = (folder: string): Promise<Ignore | undefined> => {
    const present = loaded.get(folder) ?? loadRules(join(root, folder, fileName));
    loaded.set(folder, present);
    return present;
  };
  return {
    async isIgnored(path) {
      const folders = listFolders(path);
      let ignored = false;
      for (const folder of folders) {
        const rules = await load(folder);
        const result = rules?.test(path.slice(folder.length));
        if (result?.ignored) ignored = true;
        else if (result?.unignored) ignored = false;
      }
      return ignored;
    },
  };
}

async function loadRules(path: string): Promise<Ignore | undefined> {
  try {
    return ignore().add(await readFile(path, 'utf8'));
  } catch {
    // No such file in this folder, which is the usual case; one that can't be read can't say anything either.
    return undefined;
  }
}

/** '' for the root, then every folder down to the one that holds `path`, each ending in a slash. */
function listFolders(path: string): string[] {
  const parts = path.replace(/\/$/, '').split('/').slice(0, -1);
  return ['', ...parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)];
}
