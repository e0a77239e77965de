import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CliDeps } from '../deps.ts';

/** Puts two changes of one text together; undefined where they touch each other, it isn't text, or git isn't there. */
export async function mergeText(
  deps: CliDeps,
  { base, here, there }: { base: Uint8Array; here: Uint8Array; there: Uint8Array },
): Promise<Uint8Array | undefined> {
  if ([base, here, there].some((content) => content.includes(0))) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'spoq-merge-'));
  try {
    const names = ['here', 'base', 'there'].map((name) => join(folder, name));
    await Promise.all([here, base, there].map((content, index) => writeFile(names[index] ?? '', content)));
    return await new Promise((resolve) => {
      const options = { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024, env: { PATH: deps.env.PATH } } as const;
      // Its exit code is the number of conflicts.
      execFile('git', ['merge-file', '-p', ...names], options, (error, stdout) =>
        resolve(error === null ? stdout : undefined),
      );
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
