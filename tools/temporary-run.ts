import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MachineChoice } from './machines.ts';
import { startParts } from './parts.ts';
import type { Parts } from './parts.ts';
import { findFreePort } from './ports.ts';
import type { Prepared } from './prepare.ts';
import { loadSecrets, openStateFolder } from './state-folder.ts';
import type { StateFolder } from './state-folder.ts';
import type { Terminal } from './terminal.ts';
import { VENDORS } from './vendors.ts';

export interface TemporaryRunOptions {
  root: string;
  env: NodeJS.ProcessEnv;
  prepared: Prepared;
  terminal: Terminal;
  signal?: AbortSignal;
  /** What machines are made of; processes when left out, which start in no time. */
  machines?: MachineChoice;
  /** Further variables of the control plane, e.g. VPS_PROVIDER. */
  variables?: Record<string, string>;
  /** Its database keeps to the letter what it promises, as `npm start`'s does: slower, for measurements. */
  durable?: boolean;
}

/** A whole Spoq of its own: every vendor sandboxed, every port free, all state forgotten by `stop`. */
export interface TemporaryRun extends Parts {
  folder: StateFolder;
  prepared: Prepared;
  /** An empty folder for whatever the caller needs; forgotten too. */
  scratch: string;
}

/** Only these of the person's variables get in: a key in the shell shall not make a vendor real here. */
const KEPT = [
  'HOME',
  'PATH',
  'TMPDIR',
  'LANG',
  'XDG_CACHE_HOME',
  'SPOQ_CACHE_DIR',
  'NODE_COMPILE_CACHE',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
];

/** Starts one. If it cannot be started, nothing of it is left. */
export async function startTemporaryRun(options: TemporaryRunOptions): Promise<TemporaryRun> {
  const { root, prepared, terminal, signal, variables, durable = false } = options;
  const { machines = { kind: 'process', because: 'it is quick' } } = options;
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-run-'));
  const forget = (): void => rmSync(dir, { recursive: true, force: true });
  const folder = openStateFolder(path.join(dir, 'state'));
  const env = Object.fromEntries(KEPT.map((name) => [name, options.env[name]]));
  try {
    const parts = await startParts({
      root,
      folder,
      terminal,
      signal,
      secrets: loadSecrets(folder),
      env: { ...env, ...variables },
      pathDirs: prepared.pathDirs,
      pulumiHome: prepared.plugins.home,
      ports: {
        control_plane: await findFreePort(),
        postgres: await findFreePort(),
        worker: await findFreePort(),
        sandbox: 0,
      },
      sandboxed: VENDORS,
      conductor: prepared.conductor,
      machines,
      releasesDir: prepared.releasesDir,
      fast: !durable,
    });
    return {
      ...parts,
      folder,
      prepared,
      scratch: mkdtempSync(path.join(dir, 'scratch-')),
      async stop() {
        await parts.stop();
        forget();
      },
    };
  } catch (error) {
    forget();
    throw error;
  }
}
