import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Jwks } from '../contract/auth.ts';

const KeyFile = z.object({ url: z.string(), fetched_at: z.iso.datetime(), jwks: Jwks });
export type KeyFile = z.infer<typeof KeyFile>;

/** Public keys on disk, so that a box that restarts while the control plane is down still lets its owner in. */
export interface KeyStore {
  /** What was saved; undefined when there is nothing yet. Throws when it can't be read. */
  load(): Promise<KeyFile | undefined>;
  /** Replaces it in one step: a crash leaves the old file or the new one. */
  save(keys: KeyFile): Promise<void>;
}

/** Keeps the keys in `<stateDir>/jwks.json`; the folder is made when first needed. */
export function createKeyStore(stateDir: string): KeyStore {
  const path = join(stateDir, 'jwks.json');
  return {
    async load() {
      const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      return text === undefined ? undefined : KeyFile.parse(JSON.parse(text));
    },

    async save(keys) {
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
