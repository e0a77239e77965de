import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ignore from 'ignore';
import type { Ignore } from 'ignore';

/** Decides by ignore files, some per folder, as git does: deeper files and later lines win. */
export interface IgnoreRules {
  /** `path` is relative to the root, with slashes; a folder's ends in one. */
  isIgnored(path: string): boolean;
}

export type IgnoreFile = '.gitignore' | '.spoqignore';

/** Makes the rules of the files called so under `root`; in one folder the later name wins. Each file is read once. */
export function createIgnoreRules(root: string, ...fileNames: IgnoreFile[]): IgnoreRules {
  const loaded = new Map<string, Ignore | undefined>();
  const load = (folder: string): Ignore | undefined => {
    if (!loaded.has(folder)) loaded.set(folder, loadRules(fileNames.map((name) => join(root, folder, name))));
    return loaded.get(folder);
  };
  return {
    isIgnored(path) {
      let ignored = false;
      for (const folder of listFolders(path)) {
        const result = load(folder)?.test(path.slice(folder.length));
        if (result?.ignored) ignored = true;
        else if (result?.unignored) ignored = false;
      }
      return ignored;
    },
  };
}

function loadRules(paths: string[]): Ignore | undefined {
  let rules: Ignore | undefined;
  for (const path of paths) {
    try {
      const text = readFileSync(path, 'utf8');
      rules = (rules ?? ignore({ allowRelativePaths: true })).add(text);
    } catch {
      // No such file in this folder, which is the usual case; one that can't be read can't say anything either.
    }
  }
  return rules;
}

/** '' for the root, then every folder down to the one that holds `path`, each ending in a slash. */
function listFolders(path: string): string[] {
  const parts = path.replace(/\/$/, '').split('/').slice(0, -1);
  return ['', ...parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)];
}
