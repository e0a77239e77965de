import { copyFileSync } from 'node:fs';
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import {
  createSigningKey,
  HOSTNAME,
  ISSUER,
  OWNER_ID,
  signRevocations,
  signToken,
} from '../../conductor/testing/tokens.ts';
import type { SigningKey, TokenChanges } from '../../conductor/testing/tokens.ts';
import { send } from '../../conductor/testing/client.ts';
import type { Answer, Target } from '../../conductor/testing/client.ts';
import { CONDUCTOR_UNITS, KEEP_KEYS_PATH, WORK_FILES } from '../../stacks/box-files.ts';
import { loadTemplates } from '../../stacks/templates.ts';
import { bootMachine } from './booted.ts';
import type { BootedMachine } from './booted.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const SURROUNDINGS = path.join(ROOT, 'test', 'fixtures', 'box-surroundings.ts');
export const CONFIG = `[server]

[auth]
owner_id = "${OWNER_ID}"
hostname = "${HOSTNAME}"
issuer = "${ISSUER}"
jwks_url = "http://localhost:9001/.well-known/jwks.json"

[ai]
anthropic_base_url = "http://models.spoq.test:9002"
`;

/** A booted machine with a conductor under systemd, as a box has it, and with what it reaches. */
export interface ConductorMachine extends BootedMachine {
  remote: () => Target;
  /** Headers with a token of the owner. */
  authorize(changes?: TokenChanges): Promise<{ authorization: string }>;
  /** GET on the remote listener, with the owner's token. Undefined where nobody answers. */
  get(what: string, changes?: TokenChanges): Promise<Answer | undefined>;
  systemctl(...args: string[]): Promise<string>;
  /** A property of conductor.service. */
  show(property: string): Promise<string>;
  /** What the conductor and systemd said about it since the last call. */
  journal(): Promise<string>;
  /** Replaces the drop-in of the test; '' takes it away. */
  override(text: string): Promise<void>;
  /** Starts or ends the control plane and the model. */
  surround(there: boolean): Promise<void>;
  /** Tells the model to stop after its first word, or to go on. */
  tell(what: 'hold' | 'go'): Promise<void>;
  /** Settles when the model is asked next. */
  asked(): Promise<void>;
}

/** Boots it. `executables`: the compiled programs. The conductor is not started yet. */
export async function bootConductorMachine(
  tree: string,
  executables: { conductor: string; spoq: string },
): Promise<ConductorMachine> {
  const key = await createSigningKey('first');
  const templates = loadTemplates();
  const machine = await bootMachine(tree, {
    ...Object.fromEntries(CONDUCTOR_UNITS.map((name) => [`/etc/systemd/system/${name}`, templates[name]])),
    [KEEP_KEYS_PATH]: templates['keep-keys.sh'],
    ...Object.fromEntries(WORK_FILES.map((name) => [`/usr/local/lib/spoq/${name}`, templates[name]])),
    '/etc/conductor/config.toml': CONFIG,
    '/etc/conductor/env': 'ANTHROPIC_API_KEY=sk-of-this-box\n',
    '/etc/spoq/vps.marker': '{"vps": true, "conductor": "http://localhost:8080", "version": "1.0"}\n',
    '/etc/hosts': '127.0.0.1 localhost models.spoq.test\n',
  });
  try {
    await furnish(machine, executables);
  } catch (error) {
    await machine.close();
    throw error;
  }
  return addConductor(machine, key);
}

/** The accounts and modes that setup.sh gives a box. */
async function furnish(machine: BootedMachine, executables: { conductor: string; spoq: string }): Promise<void> {
  for (const name of ['conductor', 'spoq'] as const)
    copyFileSync(executables[name], machine.file(`/usr/local/bin/${name}`));
  const script = `set -e
    groupadd --system conductor
    useradd --system --gid conductor --home-dir /var/lib/conductor --no-create-home --shell /usr/sbin/nologin conductor
    useradd --create-home --user-group --shell /bin/bash spoq
    chown root:conductor /etc/conductor/config.toml && chmod 0640 /etc/conductor/config.toml
    chmod 0600 /etc/conductor/env
    chmod 0755 ${KEEP_KEYS_PATH} /usr/local/bin/conductor /usr/local/bin/spoq
    systemctl daemon-reload && systemctl enable conductor && systemctl start conductor-keys.socket conductor-work.socket`;
  const result = await machine.run(['sh', '-c', script]);
  if (result.code !== 0) throw new Error(`the machine could not be furnished: ${result.stderr}`);
}

function addConductor(machine: BootedMachine, key: SigningKey): ConductorMachine {
  let surroundings: ChildProcess | undefined;
  let read = '';
  const hear = async (word: string): Promise<void> => {
    if (surroundings === undefined) throw new Error('nothing is around the box');
    for (;;) if ((await once(surroundings, 'message'))[0] === word) return;
  };
  const box: ConductorMachine = {
    ...machine,
    remote: () => ({ socketPath: machine.file('/run/conductor/remote.sock') }),
    authorize: async (changes) => ({ authorization: `Bearer ${await signToken(key, changes)}` }),
    async get(what, changes) {
      const headers = await box.authorize(changes);
      return send(box.remote(), { path: what, headers }).catch((error: NodeJS.ErrnoException) => {
        if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) return undefined;
        throw error;
      });
    },
    async systemctl(...args) {
      const { code, stdout, stderr } = await machine.run(['systemctl', ...args]);
      return `${code}: ${stdout}${stderr}`.trim();
    },
    show: async (property) => (await machine.run(['systemctl', 'show', 'conductor', '-P', property])).stdout.trim(),
    async journal() {
      const { stdout } = await machine.run(['journalctl', '-u', 'conductor', '-o', 'cat', '--no-pager']);
      const fresh = stdout.slice(read.length);
      read = stdout;
      return fresh;
    },
    async override(text) {
      machine.write('/etc/systemd/system/conductor.service.d/test.conf', text);
      await box.systemctl('daemon-reload');
    },
    async surround(there) {
      const former = surroundings;
      surroundings = undefined;
      if (former !== undefined && former.exitCode === null) {
        const ended = once(former, 'exit');
        former.disconnect();
        await ended;
      }
      if (!there) return;
      const jwks = JSON.stringify({ keys: [key.jwk] });
      const day = { exp: Math.floor(Date.now() / 1000) + 86_400 };
      const revocations = await signRevocations(key, { revoked: [] }, { claims: day });
      surroundings = machine.spawnInNetwork([process.execPath, SURROUNDINGS, jwks, revocations]);
      await hear('ready');
    },
    async tell(what) {
      const heard = hear(`${what} done`);
      surroundings?.send(what);
      await heard;
    },
    asked: () => hear('asked'),
    async close() {
      await box.surround(false);
      await machine.close();
    },
  };
  return box;
}
