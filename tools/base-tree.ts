import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';
import { ensureTree } from './trees.ts';
import type { TreeDeps } from './trees.ts';

/** The system that booted machines start from. */
export interface BaseTree {
  /** Its `/`. Read only: machines write into a layer of their own. */
  root: string;
  /** Where programs that machines need from outside are, as below `/`. */
  tools: string;
}

export interface BaseTreeDeps extends TreeDeps {
  /** The clone. */
  root: string;
}

const BUILD_MS = 20 * 60_000;

/** Finds the tree in the cache, or makes it: two minutes, once. One recipe, one folder; half a tree is never found. */
export async function getBaseTree(deps: BaseTreeDeps): Promise<BaseTree> {
  const script = path.join(deps.root, 'tools', 'base-tree', 'build.sh');
  const version = createHash('sha256').update(readFileSync(script)).digest('hex').slice(0, 12);
  const folder = await ensureTree(`machine-${version}`, (draft) => build(script, draft, deps), deps);
  return { root: path.join(folder, 'root'), tools: path.join(folder, 'tools') };
}

async function build(script: string, folder: string, deps: BaseTreeDeps): Promise<void> {
  const result = await runCommand('/bin/sh', [script, folder], {
    env: deps.env,
    signal: deps.signal,
    timeoutMs: BUILD_MS,
    onLine: (line) => {
      if (line.startsWith('step: ')) deps.onProgress(line.slice(6));
    },
  });
  if (result.code === 0) return;
  const words = result.stderr.trim().split('\n').slice(-4).join('\n');
  throw new ToolError(`The system of machines could not be made; nothing half made is kept. It said:\n${words}`);
}
