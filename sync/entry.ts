import type { Entry } from '../contract/workspaces.ts';

/** What a tree holds: path (relative, slashes) to entry. The root itself is not in it. */
export interface Tree extends Iterable<[string, Entry]> {
  get(path: string): Entry | undefined;
  has(path: string): boolean;
  keys(): Iterable<string>;
}

export function isEmptyTree(tree: Tree): boolean {
  for (const _path of tree.keys()) return false;
  return true;
}

/** Whether two sides have the same at a path; nothing is the same as nothing. */
export function sameEntry(a: Entry | null | undefined, b: Entry | null | undefined): boolean {
  if (a === b) return true;
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null);
  if (a.kind === 'file') return b.kind === 'file' && a.hash === b.hash && a.mode === b.mode && a.size === b.size;
  if (a.kind === 'link') return b.kind === 'link' && a.target === b.target;
  return b.kind === 'folder' && a.mode === b.mode;
}

/** The folder that holds a path; '' is the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Every folder above a path, nearest first, without the root. */
export function* ancestorsOf(path: string): Generator<string> {
  for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) yield parent;
}
