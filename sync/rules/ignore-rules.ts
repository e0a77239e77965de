import { constants, existsSync, readFileSync } from 'node:fs';
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
  /** The rules that hold in a folder ('', or it ends in a slash), the root's first. */
  const layers = new Map<string, readonly Layer[]>();
  const listLayers = (folder: string): readonly Layer[] => {
    const known = layers.get(folder);
    if (known !== undefined) return known;
    const above = folder === '' ? NONE : listLayers(folderOf(folder));
    const rules = loadRules(fileNames.map((name) => `${root}/${folder}${name}`));
    const all = rules === undefined ? above : [...above, { rules, depth: folder.length }];
    layers.set(folder, all);
    return all;
  };
  return {
    isIgnored(path) {
      let ignored = false;
      for (const { rules, depth } of listLayers(folderOf(path))) {
        const result = rules.test(path.slice(depth));
        if (result.ignored) ignored = true;
        else if (result.unignored) ignored = false;
      }
      return ignored;
    },
  };
}

/** The rules of one folder, and how long its name is. */
interface Layer {
  rules: Ignore;
  depth: number;
}

const NONE: readonly Layer[] = [];
/** A named pipe would be waited for. Windows knows none. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

function loadRules(paths: string[]): Ignore | undefined {
  let rules: Ignore | undefined;
  for (const path of paths) {
    // The usual case: an exception for each folder costs more than all the rest.
    if (!existsSync(path)) continue;
    try {
      const text = readFileSync(path, { encoding: 'utf8', flag: READ });
      rules = (rules ?? ignore({ allowRelativePaths: true })).add(text);
    } catch {
      // One that can't be read can't say anything.
    }
  }
  return rules;
}

/** Where a path lies; a folder's own slash at its end doesn't count. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/', path.length - 2) + 1);
}
