import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { StoredKeys } from './key-ring.ts';
import type { KeyKeeper } from './key-ring.ts';

/** Keys in `<stateDir>/model-keys.json`, readable by the conductor's account alone: where no systemd keeps them. */
export function createFileKeeper(stateDir: string): KeyKeeper {
  const path = join(stateDir, 'model-keys.json');
  return {
    load: async () => parseKeys(await readFile(path, 'utf8').catch(orNothing)),
    async save(keys) {
      if (Object.keys(keys).length === 0) return void (await unlink(path).catch(orNothing));
      await mkdir(stateDir, { recursive: true, mode: 0o700 });
      const draft = `${path}.new`;
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify(keys));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    },
  };
}

/** Keys as they were kept; none where nothing is. Throws where it is something else, and doesn't repeat it. */
export function parseKeys(text: string | undefined): StoredKeys {
  if (text === undefined) return {};
  try {
    return StoredKeys.parse(JSON.parse(text));
  } catch {
    throw new Error('what was kept of the model keys cannot be read');
  }
}

export function orNothing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}
