import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { baseName, parentOf } from './entry.ts';
import type { Look } from './look.ts';
import { lookIn } from './look-fast.ts';

/** How many folders are held open at once; a service has few descriptors. */
const MAX_OPEN = 128;
const FOLDER_FLAGS = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);

/** Something at a path isn't what it has to be: a link where a folder was, say. */
export class PlaceError extends Error {
  override readonly name = 'PlaceError';
}

/**
 * A tree in which nothing is ever reached through a link. Paths that it gives are good for one call at once.
 *
 * On Linux each folder is opened from its parent's descriptor (`/proc/self/fd`), which stays what it is whatever is put in its place
 * meanwhile. Elsewhere every parent is looked at before a step, and `check` again after it.
 */
export interface Place {
  /** Where the file system finds `path`. Throws `PlaceError` when a folder above it isn't there, or is none. */
  locate(path: string): string;
  /** The same, and makes the folders above it. `made` is told of each. */
  make(path: string, made: (folder: string) => void): string;
  /** `undefined` when nothing is there; good until the next look. */
  look(path: string): Look | undefined;
  /** Forgets a folder that is to go. */
  forget(path: string): void;
  /** Throws when `path` leads through a link by now. */
  check(path: string): void;
  close(): void;
}

/** Opens the tree at `root`, which has to be a folder. */
export function openPlace(root: string, platform: string = process.platform): Place {
  return platform === 'linux' && existsSync('/proc/self/fd') ? openByDescriptor(root) : openByPath(root);
}

function openByDescriptor(root: string): Place {
  const open = new Map<string, number>();
  /** Folders that weren't there, until one is made: a tree that is new has thousands of files in each. */
  const missing = new Set<string>();
  const keep = (path: string, fd: number): number => {
    for (const [oldest, old] of open) {
      if (open.size < MAX_OPEN) break;
      if (oldest === '') continue;
      closeSync(old);
      open.delete(oldest);
    }
    open.set(path, fd);
    return fd;
  };
  const enter = (path: string, made: ((folder: string) => void) | undefined): number => {
    const known = open.get(path);
    if (known !== undefined) return known;
    if (path === '') return keep('', openFolder(root, path));
    const parent = enter(parentOf(path), made);
    const at = `/proc/self/fd/${parent}/${baseName(path)}`;
    if (made !== undefined && makeFolder(at)) made(path);
    return keep(path, openFolder(at, path));
  };
  const within = (path: string, made?: (folder: string) => void): string =>
    `/proc/self/fd/${enter(parentOf(path), made)}/${baseName(path)}`;
  return {
    locate: (path) => within(path),
    make(path, made) {
      missing.clear();
      return within(path, made);
    },
    look(path) {
      if (missing.has(parentOf(path))) return undefined;
      try {
        const folder = enter(parentOf(path), undefined);
        return lookIn(folder, baseName(path)) ?? lstatSync(within(path), { throwIfNoEntry: false });
      } catch (error) {
        if (!(error instanceof PlaceError)) throw error;
        missing.add(parentOf(path));
        return undefined;
      }
    },
    forget(path) {
      for (const [folder, fd] of open) {
        if (folder !== path && !folder.startsWith(`${path}/`)) continue;
        closeSync(fd);
        open.delete(folder);
      }
    },
    check: () => undefined,
    close() {
      for (const fd of open.values()) closeSync(fd);
      open.clear();
    },
  };
}

function openByPath(root: string): Place {
  const check = (path: string, made?: (folder: string) => void): void => {
    const folder = parentOf(path);
    if (folder !== '') check(folder, made);
    const at = folder === '' ? root : `${root}/${folder}`;
    if (folder !== '' && made !== undefined && makeFolder(at)) made(folder);
    if (lstatSync(at, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw new PlaceError(`${folder} is no folder`);
  };
  const locate = (path: string, made?: (folder: string) => void): string => {
    check(path, made);
    return `${root}/${path}`;
  };
  return {
    locate: (path) => locate(path),
    make: (path, made) => locate(path, made),
    look(path) {
      try {
        return lstatSync(locate(path), { throwIfNoEntry: false });
      } catch (error) {
        if (error instanceof PlaceError) return undefined;
        throw error;
      }
    },
    forget: () => undefined,
    check: (path) => check(path),
    close: () => undefined,
  };
}

function openFolder(at: string, path: string): number {
  try {
    return openSync(at, FOLDER_FLAGS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    throw new PlaceError(`${path} is no folder`, { cause: error });
  }
}

/** True when it was made; false when something is there. */
function makeFolder(at: string): boolean {
  try {
    mkdirSync(at, 0o755);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes an empty folder; false when it isn't empty. */
export function removeFolder(at: string): boolean {
  try {
    rmdirSync(at);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}
