import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { measureAnswers } from '../bench/answers.ts';
import type { Answers } from '../bench/answers.ts';
import { measureAskStarts } from '../bench/ask-start.ts';
import type { AskStart } from '../bench/ask-start.ts';
import { listMissingPeers, measureSync } from '../bench/sync.ts';
import type { SyncTimes } from '../bench/sync.ts';
import type { Prepared } from './prepare.ts';
import type { ToolContext } from './run-tool.ts';

/** On the disk, as on a box: what is written down before it is sent has to wait for it. */
export async function measureAllAnswers(
  { env, terminal }: ToolContext,
  { conductor }: Prepared,
  dir: string,
  rounds: number,
): Promise<{ answers?: Answers }> {
  const missing = listMissingPeers(env['PATH'] ?? '').filter((name) => ['caddy', 'openssl'].includes(name));
  if (missing.length > 0) {
    terminal.line(`Answers are not measured: this machine lacks ${missing.join(', ')}.`);
    return {};
  }
  const folder = path.join(dir, 'answers');
  return terminal.step('Answers', async (update) => ({
    answers: await measureAnswers({ dir: folder, conductor, rounds, onRound: update }),
  }));
}

export function measureAskStart(
  { env, terminal }: ToolContext,
  { spoq }: Prepared,
  dir: string,
  rounds: number,
): Promise<AskStart> {
  const folder = path.join(dir, 'ask-start');
  return terminal.step('spoq ask in a large repository', () =>
    measureAskStarts({ dir: folder, spoq, searchPath: env['PATH'] ?? '', rounds }),
  );
}

/** In memory where there is such a file system: disks swing by a factor of three. */
export async function measureSyncs(
  { env, terminal, onEnd }: ToolContext,
  { spoq, conductor }: Prepared,
  rounds: number,
): Promise<{ sync?: SyncTimes }> {
  const missing = listMissingPeers(env['PATH'] ?? '');
  if (missing.length > 0) {
    terminal.line(`Sync is not measured: this machine lacks ${missing.join(', ')}.`);
    return {};
  }
  const dir = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'spoq-sync-'));
  onEnd(() => rmSync(dir, { recursive: true, force: true }));
  return terminal.step('Sync', async (update) => ({
    sync: await measureSync({ dir, spoq, conductor, rounds, searchPath: env['PATH'] ?? '', onRound: update }),
  }));
}
