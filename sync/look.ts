import { constants, lstatSync } from 'node:fs';
import type { Stats } from 'node:fs';

/** What is seen of something without reading it. */
export type Look = Pick<Stats, 'mode' | 'size' | 'ino' | 'mtimeMs' | 'ctimeMs'>;

export function isFolder({ mode }: Look): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}

export function isFile({ mode }: Look): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFREG;
}

/** What is at a path, a link itself included; `undefined` when nothing is, or when something above it is no folder. */
export function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}
