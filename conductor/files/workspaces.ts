import { lstatSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import { FolderId, WorkspaceName } from '../../contract/workspaces.ts';
import type { WorkspaceList } from '../../contract/workspaces.ts';
import { scanTree } from '../../sync/scan.ts';
import type { Scan } from '../../sync/scan.ts';
import { openStaging } from '../../sync/staging.ts';
import type { Staging } from '../../sync/staging.ts';
import { settleOnDisk } from '../../sync/settle.ts';
import { replaceFile } from '../../sync/replace-file.ts';
import { loadTreeState, saveTreeState, STATE_FILE } from '../../sync/stored-state.ts';
import type { TreeState } from '../../sync/tree-state.ts';

/** A folder of the owner that laptops sync with, and what is kept about it. Everything happens in turn. */
export interface Workspace {
  name: string;
  root: string;
  /** Where its state, staged contents and snapshots are. */
  home: string;
  staging: Staging;
  state: TreeState;
  /** Whose it is; throws `workspace_taken` when it is another's. The first who comes has it. */
  claim(folder: FolderId): void;
  /** Throws `workspace_taken` unless it is this folder's. */
  mustBe(folderId: string): void;
  scan(allow: readonly string[]): Promise<Scan>;
  /** The tree was changed: sees that it is on the disk, looks at it again when its times can be trusted, and writes down what is known. */
  settle(when: 'soon' | 'later'): void;
  /** Runs `work` when everything before it is done. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

export interface Workspaces {
  open(name: string): Workspace;
  list(): WorkspaceList;
  /** Writes down everything. */
  flush(): void;
}

const SETTLE_AFTER_MS = { soon: 100, later: 2000 };

/** The workspaces in `home/workspaces`. `onError`: told of what fails when nobody waits for it. */
export function createWorkspaces(home: string, onError: (error: unknown) => void): Workspaces {
  const open = new Map<string, Workspace & { flush(): void }>();
  const roots = join(home, 'workspaces');
  const states = join(home, '.local', 'state', 'spoq', 'workspaces');
  return {
    open(name) {
      const valid = WorkspaceName.safeParse(name);
      if (!valid.success)
        throw new SpoqError('invalid_request', {
          faults: [{ field: 'name', message: 'small letters, digits and hyphens, 63 at most' }],
        });
      const known = open.get(name);
      if (known !== undefined) return known;
      const workspace = openWorkspace(name, join(roots, name), join(states, name), onError);
      open.set(name, workspace);
      return workspace;
    },
    list() {
      const names = listFolders(roots).filter((name) => WorkspaceName.safeParse(name).success);
      return {
        workspaces: names.map((name) => ({
          name,
          path: join(roots, name),
          folder: loadFolder(join(states, name)) ?? null,
          synced_at: readTime(join(states, name, STATE_FILE)),
        })),
      };
    },
    flush() {
      for (const workspace of open.values()) workspace.flush();
    },
  };
}

function openWorkspace(
  name: string,
  root: string,
  home: string,
  onError: (error: unknown) => void,
): Workspace & { flush(): void } {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const file = join(home, STATE_FILE);
  const state = loadTreeState(file);
  let last: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let folder = loadFolder(home);
  let isLookDue = false;
  const flush = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    saveTreeState(file, state);
  };
  const taken = (owner: FolderId): SpoqError =>
    new SpoqError('workspace_taken', {
      detail: `The workspace '${name}' belongs to ${owner.path} on ${owner.host}.`,
      next: 'Choose another name with --name. Your files on the box are untouched.',
    });
  const scan = async (allow: readonly string[]): Promise<Scan> => {
    const found = await scanTree(root, state, { allow, pause: yieldTurn });
    state.rows = found.rows;
    state.allow = [...allow];
    if (found.changed && timer === undefined) plan('soon');
    return found;
  };
  const inTurn: Workspace['inTurn'] = (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const writeDown = async (): Promise<void> => {
    try {
      if (!isLookDue) return;
      isLookDue = false;
      await settleOnDisk(root);
      await scan(state.allow);
    } finally {
      flush();
    }
  };
  const plan = (when: keyof typeof SETTLE_AFTER_MS): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void inTurn(writeDown).catch(onError), SETTLE_AFTER_MS[when]);
  };
  return {
    name,
    root,
    home,
    state,
    staging: openStaging(join(home, 'staged')),
    claim(claimed) {
      if (folder !== undefined && folder.id !== claimed.id) throw taken(folder);
      if (folder !== undefined) return;
      replaceFile(join(home, 'folder.json'), JSON.stringify(claimed));
      folder = claimed;
    },
    mustBe(id) {
      if (folder === undefined)
        throw new SpoqError('workspace_changed', { detail: `There is no workspace '${name}'.` });
      if (folder.id !== id) throw taken(folder);
    },
    scan,
    settle(when) {
      isLookDue = true;
      plan(when);
    },
    inTurn,
    flush,
  };
}

/** Lets connections be served between two pieces of work. */
export function yieldTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function loadFolder(home: string): FolderId | undefined {
  try {
    return FolderId.parse(JSON.parse(readFileSync(join(home, 'folder.json'), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SpoqError('internal', {
      detail: `${home} is broken: it does not tell whose workspace it is.`,
      cause: error,
    });
  }
}

function listFolders(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => lstatSync(join(path, name)).isDirectory());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readTime(file: string): string | null {
  return statSync(file, { throwIfNoEntry: false })?.mtime.toISOString() ?? null;
}
