import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { MAX_DIFF_BYTES } from '../workplace/protocol.ts';
import { WorkError } from '../workplace/workplace.ts';
import type { Change } from '../workplace/workplace.ts';
import type { Git } from './git.ts';
import type { Place } from './place.ts';

const MAX_CHANGES = 50_000;
const RAW = /:(\d+) (\d+) (\w+) (\w+) ([A-Z])\d*\0([^\0]+)\0/g;
const LINES = /(?:^|\0)(\d+|-)\t(\d+|-)\t([^\0]+)(?=\0)/g;
const NONE = /^0+$/;
const KINDS: Record<string, Change['kind']> = { A: 'added', D: 'removed', M: 'changed', T: 'changed' };

/** What differs from the snapshot, whatever has become of the tree's own .git. */
export async function listChanges(place: Place, git: Git): Promise<Change[]> {
  await noteTree(git);
  const output = await git.run([
    'diff-index',
    '--cached',
    '--raw',
    '--numstat',
    '--no-renames',
    '-z',
    '--abbrev=40',
    'refs/heads/main',
    '--',
  ]);
  const text = output.toString('utf8');
  const lines = new Map([...text.matchAll(LINES)].map(([, added, removed, name = '']) => [name, { added, removed }]));
  const changes: Change[] = [];
  // `:<mode before> <mode now> <object before> <object now> <kind>`, NUL, name, NUL
  for (const [, before = '', mode = '', base = '', object = '', kind = '', name = ''] of text.matchAll(RAW)) {
    if (changes.length === MAX_CHANGES)
      throw new WorkError('too_large', `More than ${MAX_CHANGES} files have changed.`);
    const found = await lstat(path.join(place.tree, name)).catch(() => undefined);
    const { added = '-', removed = '-' } = lines.get(name) ?? {};
    changes.push({
      path: name,
      kind: KINDS[kind] ?? 'changed',
      mode: Number.parseInt(mode, 8),
      base_mode: Number.parseInt(before, 8),
      object: NONE.test(object) ? null : object,
      base_object: NONE.test(base) ? null : base,
      added_lines: added === '-' ? null : Number(added),
      removed_lines: removed === '-' ? null : Number(removed),
      bytes: kind === 'D' ? 0 : (found?.size ?? 0),
    });
  }
  return changes;
}

export async function makePatch(git: Git): Promise<Buffer> {
  await noteTree(git);
  const flags = [
    '--cached',
    '--binary',
    '--full-index',
    '--no-renames',
    '--no-color',
    '--no-ext-diff',
    '--no-textconv',
  ];
  return git.run(['diff', ...flags, 'refs/heads/main', '--'], { limit: MAX_DIFF_BYTES });
}

async function noteTree(git: Git): Promise<void> {
  // What can't be read stays as it was in the snapshot: then git ends with 1.
  await git.run(['add', '--all', '--ignore-errors', '--', '.'], { codes: [1] });
}

/** A content by the name that git has for it: one of the snapshot, or one that `listChanges` has told of. */
export async function readObject(git: Git, object: string, limit: number): Promise<Buffer> {
  return git.run(['cat-file', 'blob', object], { limit });
}
