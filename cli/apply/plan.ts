import { createHash } from 'node:crypto';
import { lstat, readFile, readlink } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { ChangedFile } from '../../contract/run.ts';

/** What is at a path here: `object` is its content as git names it. */
export interface Local {
  mode: number;
  object: string | null;
  /** Something that git keeps no content of: a folder, a pipe. */
  odd: boolean;
}

export type Plan =
  | { action: 'same' }
  /** It is here as it was when the run began: it becomes what the run has made of it. */
  | { action: 'take' }
  /** Changed here as well: both changes are put together, as far as they can be. */
  | { action: 'merge' }
  | { action: 'conflict'; reason: string };

export const LINK = 0o120000;
const EXECUTABLE = 0o100755;
const FILE = 0o100644;

/** What becomes of one file. */
export function planFile(change: ChangedFile, local: Local): Plan {
  const isNew = local.object === change.object && (change.object === null || local.mode === change.mode);
  if (isNew && !local.odd) return { action: 'same' };
  if (local.odd) return { action: 'conflict', reason: 'something else is here' };
  const isBase = local.object === change.base_object && (local.object === null || local.mode === change.base_mode);
  if (isBase) return { action: 'take' };
  if (change.kind === 'removed') return { action: 'conflict', reason: 'removed on the box, changed here' };
  if (local.object === null) return { action: 'conflict', reason: 'changed on the box, removed here' };
  const isText = [change.mode, local.mode, change.base_mode].every((mode) => mode !== LINK);
  if (!isText) return { action: 'conflict', reason: 'changed on both sides, and a link on one' };
  return { action: 'merge' };
}

/** Why a path must not be written to; undefined when it may. `root` is the folder that is applied to. */
export async function findDanger(
  root: string,
  change: ChangedFile,
  target: string | undefined,
): Promise<string | undefined> {
  const parts = change.path.split('/');
  if (change.path.startsWith('/') || /[\0\\]/.test(change.path) || parts.some((part) => ['', '.', '..'].includes(part)))
    return 'leads out of the folder';
  if (parts.some(isGits)) return 'belongs to git';
  if (/^[A-Za-z]:/.test(change.path)) return 'leads out of the folder';
  if (![0, FILE, EXECUTABLE, LINK].includes(change.mode)) return 'is neither a file nor a link';
  for (let at = dirname(change.path); at !== '.'; at = dirname(at)) {
    const stats = await lstat(join(root, at)).catch(() => undefined);
    if (stats !== undefined && !stats.isDirectory())
      return stats.isSymbolicLink() ? `goes through the link ${at}` : `goes through ${at}, which is no folder`;
  }
  if (change.mode !== LINK || target === undefined) return undefined;
  const leads = posix.normalize(posix.join(posix.dirname(change.path), target));
  if (target.startsWith('/') || leads === '..' || leads.startsWith('../'))
    return 'is a link that leads out of the folder';
  if (leads.split('/').some(isGits)) return 'is a link to what belongs to git';
  return undefined;
}

export async function readLocal(root: string, path: string, hashLength: number): Promise<Local> {
  const at = join(root, path);
  const stats = await lstat(at).catch(() => undefined);
  if (stats === undefined) return { mode: 0, object: null, odd: false };
  if (stats.isSymbolicLink())
    return { mode: LINK, object: hashBlob(Buffer.from(await readlink(at)), hashLength), odd: false };
  if (!stats.isFile()) return { mode: 0, object: null, odd: true };
  const mode = (stats.mode & 0o111) === 0 ? FILE : EXECUTABLE;
  return { mode, object: hashBlob(await readFile(at), hashLength), odd: false };
}

/** The name that git gives a content. `length`: 40 for SHA-1, 64 for SHA-256. */
export function hashBlob(content: Uint8Array, length: number): string {
  const hash = createHash(length === 64 ? 'sha256' : 'sha1');
  return hash.update(`blob ${content.length}\0`).update(content).digest('hex');
}

/** `.git` in every spelling that some file system takes for it (CVE-2014-9390, CVE-2019-1352). */
function isGits(part: string): boolean {
  const plain = part.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '');
  return /^(?:\.git|git~\d+)[. ]*(?::.*)?$/i.test(plain);
}
