import { SYNC_LIMITS } from '../contract/workspaces.ts';

/** Code points that HFS+ ignores in names: `.g\u200cit` is `.git` there (CVE-2014-9390). */
const IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Why a path from the other side, or a name found here, can't take part; `undefined` for one that can. A path is relative, its
 * segments stand between slashes, and it means the same on every system that a side may run.
 */
export function findPathFault(path: string): string | undefined {
  if (path === '') return 'an empty name';
  if (path.length > SYNC_LIMITS.path_bytes || Buffer.byteLength(path) > SYNC_LIMITS.path_bytes)
    return `a path of more than ${SYNC_LIMITS.path_bytes} bytes`;
  for (const segment of path.split('/')) {
    const fault = findNameFault(segment);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The same for one name in a folder. */
export function findNameFault(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'a path that is not plain';
  if (name.includes('\0')) return 'a name with a NUL';
  if (name.includes('/') || name.includes('\\')) return 'a name with a slash or backslash';
  if (name.length > 84 && Buffer.byteLength(name) > SYNC_LIMITS.name_bytes)
    return `a name of more than ${SYNC_LIMITS.name_bytes} bytes`;
  if (!name.isWellFormed()) return 'a name that is not Unicode';
  if (/^[A-Za-z]:/.test(name)) return 'a name that begins like a drive';
  if (isGitFolder(name)) return 'a git folder';
  return undefined;
}

/** `.git` in every spelling that some file system takes for it: what is in there is run by git. */
export function isGitFolder(name: string): boolean {
  if (name === '.git') return true;
  const first = name.charCodeAt(0);
  // Most names end here: a dot, a g (git~1) or something that is ignored.
  if (first !== 46 && first !== 103 && first !== 71 && first < 128) return false;
  const plain = name.replace(IGNORED, '').normalize('NFKC').toLowerCase();
  return /^(\.git|git~\d+)([. ]*)(:.*)?$/.test(plain);
}

/**
 * Why a link can't take part: only targets that can't lead out of the tree do. Leading `..` walk real folders; a `..` behind a name
 * might walk out of what another link points to.
 */
export function findLinkFault(path: string, target: string): string | undefined {
  if (target === '' || target.includes('\0') || target.includes('\\')) return 'a link with a target that is not plain';
  if (Buffer.byteLength(target) > SYNC_LIMITS.path_bytes) return 'a link with a target that is too long';
  if (target.startsWith('/') || /^[A-Za-z]:/.test(target)) return 'a link to an absolute path';
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.');
  const depth = path.split('/').length - 1;
  const ups = segments.findIndex((segment) => segment !== '..');
  const leading = ups === -1 ? segments.length : ups;
  if (leading > depth || segments.slice(leading).includes('..')) return 'a link that may lead outside';
  if (segments.some(isGitFolder)) return 'a link into a git folder';
  return undefined;
}

/** What a file system can't tell apart has the same fold. */
export function foldName(path: string, holds: { case: boolean; unicode: boolean }): string {
  const normal = holds.unicode ? path : path.normalize('NFC');
  return holds.case ? normal : normal.toLowerCase();
}
