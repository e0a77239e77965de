import type { Entry, LeftOut } from '../contract/workspaces.ts';
import { parentOf } from './entry.ts';
import type { Row } from './tree-state.ts';

/** Folders that hold only what takes no part are left out with it: nobody misses them on the other side. */
export function listManifest(rows: Map<string, Row>): Map<string, Entry> {
  const manifest = new Map<string, Entry>();
  let mixed = false;
  for (const [path, row] of rows) {
    if (row.entry === undefined || path === '') continue;
    manifest.set(path, row.entry);
    mixed ||= row.mixed;
  }
  if (!mixed) return manifest;
  const used = new Set<string>();
  const hollow = new Set<string>();
  for (const [path, row] of [...rows].toReversed()) {
    if (row.entry === undefined || path === '') continue;
    if (row.entry.kind === 'folder' && !used.has(path) && (row.mixed || hollow.has(path))) {
      manifest.delete(path);
      hollow.add(parentOf(path));
    } else used.add(parentOf(path));
  }
  return manifest;
}

/** What takes no part, and why. */
export function listLeftOut(rows: Map<string, Row>): LeftOut[] {
  const list: LeftOut[] = [];
  for (const [path, { left }] of rows) if (left !== undefined) list.push(describeLeftOut(path, left));
  return list;
}

export function describeLeftOut(path: string, reason: string): LeftOut {
  return { path, reason, withheld: reason.startsWith('withheld: ') };
}
