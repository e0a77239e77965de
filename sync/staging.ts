import { createHash } from 'node:crypto';
import type { Hash as Hasher } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { getNative } from './native.ts';
import { noFollow } from './read-content.ts';

/** Contents that have arrived and wait to be put in place, by hash. What was cut stays, and goes on where it ended. */
export interface Staging {
  /** Whole contents and pieces, by hash: how many bytes are there. */
  list(): Record<string, number>;
  has(hash: string): boolean;
  /** A content that is here at once. False when its hash is another. */
  put(hash: string, bytes: Uint8Array): boolean;
  /** The next piece of a content of `size` bytes. False when it doesn't fit, or the whole has another hash: then it is gone. */
  add(hash: string, size: number, offset: number, bytes: Uint8Array): boolean;
  /** A copy of a file that is here already. False when it hasn't that content any more. */
  copy(hash: string, file: string): boolean;
  /** Moves the content to `target`, where nothing is yet (`EEXIST`), or over what is there. It is no longer staged, unless `keep`. */
  place(hash: string, target: string, options: { mode: number; replace: boolean; keep: boolean }): void;
  /** Ends what is open. */
  close(): void;
  clear(): void;
}

interface Piece {
  fd: number;
  size: number;
  at: number;
  hasher: Hasher;
}

/** Files that come in pieces at the same time; one that is closed is read once more when it goes on. */
const MAX_OPEN = 8;
const NAME = /^([0-9a-f]{64})(\.part)?$/;
const WRITE = constants.O_WRONLY | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);

/** What nobody has come for in a week isn't wanted any more: its file was changed or deleted before it could be put in place. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** Files are made with this mode: most are wanted so. Nobody else comes through the folder. */
const MADE_MODE = 0o644;

/**
 * Opens the staging area in `folder`, which is made. It should be on the file system of the tree; else contents are copied. What a crash
 * has left there is read once more: it stays if it is what its name says.
 */
export function openStaging(folder: string): Staging {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  /** With the mode of the file, where it is known. */
  const whole = new Map<string, number | undefined>();
  const parts = new Map<string, number>();
  const madeMode = MADE_MODE & ~process.umask();
  const longAgo = Date.now() - KEPT_MS;
  for (const name of readdirSync(folder)) {
    const [, hash, part] = NAME.exec(name) ?? [];
    const isOld = lstatSync(join(folder, name)).mtimeMs < longAgo;
    if (isOld) rmSync(join(folder, name), { recursive: true, force: true });
    else if (hash !== undefined && part !== undefined) parts.set(hash, lstatSync(join(folder, name)).size);
    else if (hash !== undefined && hashFile(join(folder, name)) === hash) whole.set(hash, undefined);
    else rmSync(join(folder, name), { recursive: true, force: true });
  }
  const open = new Map<string, Piece>();
  const fileOf = (hash: string): string => `${folder}/${hash}`;
  let drafts = 0;

  const write = (hash: string, bytes: Uint8Array): void => {
    try {
      writeFile(fileOf(hash), bytes);
    } catch (error) {
      rmSync(fileOf(hash), { force: true });
      throw error;
    }
    whole.set(hash, madeMode);
  };

  const release = (hash: string): void => {
    const piece = open.get(hash);
    if (piece !== undefined) closeSync(piece.fd);
    open.delete(hash);
  };
  const begin = (hash: string, size: number, offset: number): Piece | undefined => {
    const file = `${fileOf(hash)}.part`;
    const present = offset === 0 ? 0 : (parts.get(hash) ?? 0);
    if (present < offset) return undefined;
    const [oldest] = open.keys();
    if (open.size >= MAX_OPEN && oldest !== undefined) release(oldest);
    const piece: Piece = {
      fd: openSync(file, offset === 0 ? WRITE | constants.O_TRUNC : WRITE, MADE_MODE),
      size,
      at: offset,
      hasher: createHash('sha256'),
    };
    if (offset > 0) hashBeginning(file, offset, piece.hasher);
    open.set(hash, piece);
    return piece;
  };

  return {
    list: () => {
      const list: Record<string, number> = Object.fromEntries(parts);
      for (const hash of whole.keys()) list[hash] = lstatSync(fileOf(hash), { throwIfNoEntry: false })?.size ?? 0;
      return list;
    },
    has: (hash) => whole.has(hash),
    put(hash, bytes) {
      if (whole.has(hash)) return true;
      if (createHash('sha256').update(bytes).digest('hex') !== hash) return false;
      write(hash, bytes);
      return true;
    },
    add(hash, size, offset, bytes) {
      if (whole.has(hash)) return true;
      if (offset === 0 && bytes.length === size) return this.put(hash, bytes);
      if (open.get(hash)?.at !== offset) release(hash);
      const piece = open.get(hash) ?? begin(hash, size, offset);
      if (piece === undefined || piece.size !== size || offset + bytes.length > size) return false;
      for (let at = 0; at < bytes.length;) at += writeSync(piece.fd, bytes, at, bytes.length - at, piece.at + at);
      piece.hasher.update(bytes);
      piece.at += bytes.length;
      parts.set(hash, piece.at);
      if (piece.at < size) return true;
      release(hash);
      parts.delete(hash);
      const isRight = piece.hasher.digest('hex') === hash;
      if (isRight) renameSync(`${fileOf(hash)}.part`, fileOf(hash));
      else rmSync(`${fileOf(hash)}.part`, { force: true });
      if (isRight) whole.set(hash, undefined);
      return isRight;
    },
    copy(hash, file) {
      if (whole.has(hash)) return true;
      copyFileSync(file, fileOf(hash), constants.COPYFILE_FICLONE);
      const isRight = hashFile(fileOf(hash)) === hash;
      if (isRight) whole.set(hash, undefined);
      else rmSync(fileOf(hash), { force: true });
      return isRight;
    },
    place(hash, target, { mode, replace, keep }) {
      const file = keep ? `${folder}/${process.pid}-${drafts++}` : fileOf(hash);
      if (keep) copyFileSync(fileOf(hash), file, constants.COPYFILE_FICLONE);
      if (whole.get(hash) !== mode) chmodSync(file, mode);
      try {
        moveInto(file, target, mode, replace);
      } catch (error) {
        if (keep) rmSync(file, { force: true });
        else whole.set(hash, undefined); // Its mode may be another by now.
        throw error;
      }
      if (!keep) whole.delete(hash);
    },
    close() {
      for (const hash of open.keys()) release(hash);
    },
    clear() {
      this.close();
      whole.clear();
      parts.clear();
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    },
  };
}

function writeFile(file: string, bytes: Uint8Array): void {
  const fd = openSync(file, WRITE | constants.O_EXCL, MADE_MODE);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } finally {
    closeSync(fd);
  }
}

/** In one step: `target` is what it was, or all of the new content with its mode. */
function moveInto(file: string, target: string, mode: number, replace: boolean): void {
  try {
    moveAtOnce(file, target, replace);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    // Another file system: a copy beside the target, which then takes its place.
    const draft = `${target.slice(0, target.lastIndexOf('/'))}/.spoq-${process.pid}-${Date.now().toString(36)}.tmp`;
    try {
      copyFileSync(file, draft, constants.COPYFILE_EXCL);
      setMode(draft, mode);
      moveAtOnce(draft, target, replace);
    } finally {
      rmSync(draft, { force: true });
    }
    rmSync(file, { force: true });
  }
}

/** A rename takes the place of something, unless the kernel is told not to; a hard link never does. Where there is neither, the look before has to do. */
export function moveAtOnce(file: string, target: string, replace: boolean): void {
  if (replace) return renameSync(file, target);
  if (moveToFree(file, target)) return;
  try {
    linkSync(file, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
    return renameSync(file, target);
  }
  unlinkSync(file);
}

/** Of linux/fcntl.h and linux/fs.h. */
const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;

/** False where it can't be done so: something is there, say. */
function moveToFree(file: string, target: string): boolean {
  const native = getNative();
  const [from, to] = native?.lay(file, target) ?? [];
  if (native === undefined || from === undefined || to === undefined) return false;
  return native.renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) === 0;
}

/** Of the file itself, not of one that a link leads to. */
export function setMode(file: string, mode: number): void {
  const fd = openSync(file, constants.O_RDONLY | noFollow());
  try {
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

function hashFile(file: string): string {
  const hasher = createHash('sha256');
  hashBeginning(file, Number.POSITIVE_INFINITY, hasher);
  return hasher.digest('hex');
}

function hashBeginning(file: string, bytes: number, hasher: Hasher): void {
  const fd = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  try {
    for (let at = 0; at < bytes;) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, bytes - at), at);
      if (read === 0) break;
      hasher.update(buffer.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(fd);
  }
}
