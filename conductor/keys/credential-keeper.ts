import { once } from 'node:events';
import { stat, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { orNothing, parseKeys } from './file-keeper.ts';
import type { KeyKeeper } from './key-ring.ts';

/** As conductor.service loads it. */
const CREDENTIAL = 'model-keys';
const KEPT = 'kept\n';
/** Encrypting may wait for a machine's own key to be made. */
const KEEP_MS = 30_000;

export interface CredentialOptions {
  /** `CREDENTIALS_DIRECTORY`: where systemd put what it loaded when the conductor started; undefined where it loaded nothing. */
  folder: string | undefined;
  /** Of `conductor-keys.socket`, behind which root writes what will be loaded at the next start. */
  socket: string;
  /** Keeps keys where that socket isn't. */
  otherwise: KeyKeeper;
}

/**
 * Keys as a credential of systemd: root writes it, encrypted where it can, and only the conductor is given it. A box that is older than this has
 * no such socket: `otherwise` keeps them there.
 */
export function createCredentialKeeper({ folder, socket, otherwise }: CredentialOptions): KeyKeeper {
  return {
    async load() {
      const loaded =
        folder === undefined ? undefined : await readFile(join(folder, CREDENTIAL), 'utf8').catch(orNothing);
      return loaded === undefined ? otherwise.load() : parseKeys(loaded);
    },
    async save(keys) {
      if ((await stat(socket).catch(orNothing)) === undefined) return otherwise.save(keys);
      const said = await hand(socket, JSON.stringify(keys));
      if (said !== KEPT) throw new Error('conductor-keys did not keep the model keys');
      // What an older conductor kept there must not come back.
      await otherwise.save({});
    },
  };
}

/** Sends it all and reads the answer to its end. */
async function hand(socket: string, document: string): Promise<string> {
  const line = connect(socket);
  line.setTimeout(KEEP_MS, () => line.destroy(new Error(`conductor-keys did not answer within ${KEEP_MS / 1000} s`)));
  try {
    await once(line, 'connect');
    line.end(document);
    return await text(line);
  } finally {
    line.destroy();
  }
}
