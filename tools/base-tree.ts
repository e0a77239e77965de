import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheDir } from './engine.ts';
import { withLock } from './lock.ts';
import { runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';

/** The system that booted machines start from. */
export interface BaseTree {
  /** Its `/`. Read only: machines write into a layer of their own. */
  root: string;
  /** Where programs that machines need from outside are, as below `/`. */
  tools: string;
}

export interface BaseTreeDeps {
  root: string;
  env: NodeJS.ProcessEnv;
  onProgress: (text: string) => void;
  signal?: AbortSignal;
}

const BUILD_MS = 20 * 60_000;

/** Finds the tree in the cache, or makes it: two minutes, once. One recipe, one folder; half a tree is never found. */
export async function getBaseTree(deps: BaseTreeDeps): Promise<BaseTree> {
  const script = path.join(deps.root, 'tools', 'base-tree', 'build.sh');
  const version = createHash('sha256').update(readFileSync(script)).digest('hex').slice(0, 12);
  const trees = path.join(cacheDir(deps.env), 'trees');
  const folder = path.join(trees, `machine-${version}`);
  const tree = { root: path.join(folder, 'root'), tools: path.join(folder, 'tools') };
  if (existsSync(folder)) return tree;
  await mkdir(trees, { recursive: true });
  await withLock(
    trees,
    `machine-${version}`,
    async () => {
      if (!existsSync(folder)) await build(script, trees, folder, deps);
    },
    () => deps.onProgress('another run makes it; waiting'),
  );
  return tree;
}

async function build(script: string, trees: string, folder: string, deps: BaseTreeDeps): Promise<void> {
  const draft = mkdtempSync(path.join(trees, '.new-'));
  try {
    const result = await runCommand('/bin/sh', [script, draft], {
      env: deps.env,
      signal: deps.signal,
      timeoutMs: BUILD_MS,
      onLine: (line) => {
        if (line.startsWith('step: ')) deps.onProgress(line.slice(6));
      },
    });
    if (result.code !== 0) {
      const words = result.stderr.trim().split('\n').slice(-4).join('\n');
      throw new ToolError(`The system of machines could not be made; nothing half made is kept. It said:\n${words}`);
    }
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
