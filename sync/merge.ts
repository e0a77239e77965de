import type { Change, Entry, Step } from '../contract/workspaces.ts';
import { ancestorsOf, baseName, parentOf, sameEntry } from './entry.ts';
import type { Tree } from './entry.ts';
import { foldName } from './names.ts';

export type Direction = 'both' | 'push' | 'pull';

/** What a file system can hold beside each other: `a` and `A`; `é` in its two spellings. */
export interface Holds {
  case: boolean;
  unicode: boolean;
}

export interface MergeSide {
  manifest: Tree;
  /** Paths that take no part on this side. */
  excludes(path: string): boolean;
  holds: Holds;
}

export interface MergeOptions {
  base: Tree;
  /** The paths at which a side differs from the base. */
  changed: readonly string[];
  mine: MergeSide;
  theirs: MergeSide;
  direction: Direction;
  /** Goes into the name of a version that is kept beside another: the host it came from, and when (20260102-030405). */
  labels: { here: string; box: string; time: string };
}

/** What a person is told of. */
export type MergeNote =
  /** `version_of` says whose version lies beside the other now. */
  | { type: 'conflict'; path: string; kept_as: string; version_of: 'here' | 'box' }
  /** Deleted on one side and changed on the other: it stays. */
  | { type: 'kept'; path: string; deleted_on: 'here' | 'box' }
  | { type: 'twin'; path: string; twin: string };

export interface Merge {
  /** What is to be done here, and on the box. */
  mine: Step[];
  theirs: Step[];
  /** What is the same on both sides already, and differs from the base. */
  agreed: Change[];
  notes: MergeNote[];
}

/** The three-way merge of two trees that had `base` in common. No content is lost: what both changed is kept twice. */
export function mergeTrees(options: MergeOptions): Merge {
  const { base, mine, theirs } = options;
  const paths = [...new Set(options.changed)].sort().filter((path) => !mine.excludes(path) && !theirs.excludes(path));
  const goal = new Map<string, Entry | null>();
  const notes: MergeNote[] = [];
  const taken = (path: string): boolean =>
    goal.has(path) || mine.manifest.has(path) || theirs.manifest.has(path) || mine.excludes(path);
  const keepBeside = (path: string, entry: Entry): void => {
    const side = sameEntry(entry, theirs.manifest.get(path)) ? 'box' : 'here';
    const name = nameBeside(path, options.labels[side], options.labels.time, taken);
    goal.set(name, entry);
    notes.push({ type: 'conflict', path, kept_as: name, version_of: side });
  };
  for (const path of paths) {
    const [b, m, t] = [base.get(path) ?? null, mine.manifest.get(path) ?? null, theirs.manifest.get(path) ?? null];
    if (sameEntry(m, t) || sameEntry(t, b)) goal.set(path, m);
    else if (sameEntry(m, b)) goal.set(path, t);
    else if (m === null || t === null) {
      goal.set(path, m ?? t);
      notes.push({ type: 'kept', path, deleted_on: m === null ? 'here' : 'box' });
    } else if (isSameContent(m, t)) goal.set(path, m);
    else if (m.kind === 'folder' || t.kind === 'folder') {
      goal.set(path, m.kind === 'folder' ? m : t);
      keepBeside(path, m.kind === 'folder' ? t : m);
    } else {
      goal.set(path, m);
      keepBeside(path, t);
    }
  }
  if (goal.size === 0) return { mine: [], theirs: [], agreed: [], notes };
  keepFolders(goal, options, keepBeside);
  dropTwins(goal, options, notes);
  const conflicts = new Set(notes.flatMap((note) => (note.type === 'conflict' ? [note.path] : [])));
  return { ...listSteps(goal, conflicts, options), notes };
}

function isSameContent(a: Entry, b: Entry): boolean {
  if (a.kind === 'file') return b.kind === 'file' && a.hash === b.hash;
  return a.kind === 'folder' && b.kind === 'folder';
}

/** A folder in which something is to be stays a folder, or becomes one; a file in its place is kept beside it. */
function keepFolders(
  goal: Map<string, Entry | null>,
  { mine, theirs }: MergeOptions,
  keepBeside: (path: string, entry: Entry) => void,
): void {
  const present = (path: string): Entry | null =>
    goal.get(path) ?? (goal.has(path) ? null : (mine.manifest.get(path) ?? theirs.manifest.get(path) ?? null));
  const needed = new Set<string>();
  const need = (path: string): void => {
    for (const folder of ancestorsOf(path)) {
      if (needed.has(folder)) return;
      needed.add(folder);
    }
  };
  for (const [path, entry] of goal) if (entry !== null) need(path);
  // Untouched paths below a folder that is to become something else.
  const replaced = [...goal]
    .filter(([path, entry]) => entry?.kind !== 'folder' && isFolder(path, mine, theirs))
    .map(([path]) => path);
  if (replaced.length > 0)
    for (const side of [mine, theirs])
      for (const path of side.manifest.keys())
        if (!goal.has(path) && replaced.some((folder) => path.startsWith(`${folder}/`))) need(path);
  for (const folder of [...needed].sort()) {
    const entry = present(folder);
    if (entry?.kind === 'folder') continue;
    const was = [mine, theirs].map((side) => side.manifest.get(folder)).find((one) => one?.kind === 'folder');
    if (goal.has(folder) || entry !== null) goal.set(folder, was ?? { kind: 'folder', mode: 0o755 });
    if (entry !== null) keepBeside(folder, entry);
  }
}

function isFolder(path: string, ...sides: MergeSide[]): boolean {
  return sides.some((side) => side.manifest.get(path)?.kind === 'folder');
}

/** `report.txt` becomes `report.conflict-box-20260102-030405.txt`. */
function nameBeside(path: string, host: string, time: string, taken: (path: string) => boolean): string {
  const folder = parentOf(path);
  const name = baseName(path);
  const dot = name.lastIndexOf('.');
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  const mark = `.conflict-${host.replaceAll(/[^A-Za-z0-9-]/g, '-').slice(0, 40)}-${time}`;
  for (let count = 1; ; count++) {
    const end = `${mark}${count === 1 ? '' : `-${count}`}${extension.length > 40 ? '' : extension}`;
    const beside = `${folder === '' ? '' : `${folder}/`}${cut(stem, 255 - Buffer.byteLength(end))}${end}`;
    if (!taken(beside)) return beside;
  }
}

function cut(text: string, bytes: number): string {
  let short = text;
  while (Buffer.byteLength(short) > bytes) short = short.slice(0, -1);
  return short.isWellFormed() ? short : short.slice(0, -1);
}

/** What a side could not tell from something that it has stays where it is. */
function dropTwins(goal: Map<string, Entry | null>, { mine, theirs }: MergeOptions, notes: MergeNote[]): void {
  for (const side of [mine, theirs]) {
    if (side.holds.case && side.holds.unicode) continue;
    const folds = new Map<string, string>();
    for (const path of side.manifest.keys()) if (goal.get(path) !== null) folds.set(foldName(path, side.holds), path);
    for (const [path, entry] of [...goal].sort()) {
      if (entry === null) continue;
      const twin = [path, ...ancestorsOf(path)]
        .map((one) => [one, folds.get(foldName(one, side.holds))] as const)
        .find(([one, other]) => other !== undefined && other !== one);
      if (twin?.[1] === undefined) {
        folds.set(foldName(path, side.holds), path);
        continue;
      }
      goal.delete(path);
      notes.push({ type: 'twin', path, twin: twin[1] });
    }
  }
}

/** The way from what each side has to the goal, as far as the direction goes there. */
function listSteps(
  goal: Map<string, Entry | null>,
  conflicts: ReadonlySet<string>,
  { base, mine, theirs, direction }: MergeOptions,
): Omit<Merge, 'notes'> {
  const merge: Omit<Merge, 'notes'> = { mine: [], theirs: [], agreed: [] };
  for (const [path, want] of goal) {
    const [m, t] = [mine.manifest.get(path) ?? null, theirs.manifest.get(path) ?? null];
    const [isMine, isTheirs] = [!sameEntry(m, want), !sameEntry(t, want)];
    if (isMine && direction !== 'push')
      merge.mine.push({ path, want, expect: m, agree: !isTheirs || direction === 'both' });
    if (isTheirs && direction !== 'pull')
      merge.theirs.push({ path, want, expect: t, agree: !isMine || direction === 'both' });
    if (!isMine && !isTheirs && !sameEntry(want, base.get(path))) merge.agreed.push([path, want]);
    // Their version lies beside mine now: it need not be brought again.
    if (direction === 'pull' && isTheirs && conflicts.has(path)) merge.agreed.push([path, t]);
  }
  return merge;
}
