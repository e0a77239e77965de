import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeSnapshot } from '../../conductor/testing/workspace-repository.ts';
import type { TestFile } from '../../conductor/testing/workspace-repository.ts';
import type { WorkExit, WorkProcess } from '../../conductor/workplace/workplace.ts';
import type { BootedMachine } from './booted.ts';

/** Makes a workspace of the owner in a machine, as `conductor files` keeps it. Returns its one snapshot. */
export async function makeWorkspace(
  machine: BootedMachine,
  name: string,
  files: Record<string, TestFile>,
): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-snapshot-'));
  const home = '/home/spoq/.local/state/spoq/workspaces';
  try {
    const snapshot = makeSnapshot(path.join(folder, 'repo.git'), files);
    await machine.run(['mkdir', '-p', `${home}/${name}`]);
    execFileSync('cp', ['-r', path.join(folder, 'repo.git'), machine.file(`${home}/${name}/repo.git`)]);
    await machine.run(['chown', '-R', 'spoq:spoq', '/home/spoq']);
    return snapshot;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Collected extends WorkExit {
  stdout: string;
  stderr: string;
}

/** All that a program says, and how it ends. */
export async function collect(child: WorkProcess): Promise<Collected> {
  const said = { stdout: '', stderr: '' };
  child.end();
  for await (const { stream, data } of child.output) said[stream] += Buffer.from(data).toString();
  return { ...said, ...(await child.exit) };
}
