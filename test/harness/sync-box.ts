import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { formatConfig } from '../../conductor/testing/compiled.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import { OWNER_ID, signToken } from '../../conductor/testing/tokens.ts';
import { startCaddy } from './caddy.ts';
import { waitFor } from './wait.ts';

/** A box's programs as processes of this machine, behind Caddy with TLS, and a laptop that is signed in there. */
export interface SyncBox {
  /** The environment of `spoq` on the laptop. */
  env: Record<string, string>;
  /** Where workspaces are. */
  workspaces: string;
  close(): Promise<void>;
}

/** Where Caddy listens. */
export const SYNC_BOX_PORT = 24_443;

/** `port`: where the laptop finds it, if not at Caddy's own. */
export async function openSyncBox(
  folder: string,
  conductor: readonly string[],
  port = SYNC_BOX_PORT,
): Promise<SyncBox> {
  const [home, spoqHome] = [path.join(folder, 'home'), path.join(folder, 'spoq')];
  for (const one of [home, spoqHome]) mkdirSync(one, { recursive: true });
  const at = (name: string): string => path.join(folder, name);
  const children: ChildProcess[] = [];
  const start = (argv: readonly string[]): ChildProcess => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'], HOME: folder, XDG_DATA_HOME: folder, LOG_LEVEL: 'warn' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.push(child);
    return child;
  };
  const plane = await startControlPlane();
  makeCertificate(folder);
  writeFileSync(
    at('config.toml'),
    formatConfig({
      jwksUrl: plane.jwksUrl,
      modelUrl: plane.jwksUrl,
      extra: `\n[files]\nsocket = "${at('files.sock')}"\n`,
    }),
  );
  start([...conductor, 'files', '--home', home, '--socket', at('files.sock')]);
  start([...conductor, '--config', at('config.toml'), '--socket', at('remote.sock'), '--state', at('state')]);
  children.push(startCaddy(folder, at('remote.sock'), SYNC_BOX_PORT));
  const listens = (where: { path: string } | { port: number; host: string }): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(where, () => resolve(true));
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
    });
  await waitFor('the box to listen', async () => {
    const all = [{ path: at('files.sock') }, { path: at('remote.sock') }, { port: SYNC_BOX_PORT, host: '127.0.0.1' }];
    return (await Promise.all(all.map(listens))).every(Boolean);
  });
  const credentials = {
    vps_hostname: `https://alice.localhost:${port}`,
    access_token: await signToken(plane.key, { claims: { exp: Math.floor(Date.now() / 1000) + 3500 } }),
    refresh_token: 'refresh',
    expires_at: new Date(Date.now() + 3_500_000).toISOString().replace(/\.\d+Z/, 'Z'),
    user_id: OWNER_ID,
    username: 'alice',
  };
  writeFileSync(path.join(spoqHome, 'credentials'), JSON.stringify(credentials));
  return {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      SPOQ_HOME: spoqHome,
      NODE_EXTRA_CA_CERTS: at('cert.pem'),
      SPOQ_VPS_MARKER: at('none'),
    },
    workspaces: path.join(home, 'workspaces'),
    async close() {
      for (const child of children.toReversed()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await plane.close();
    },
  };
}

/** `key.pem` and `cert.pem` in the folder. */
export function makeCertificate(folder: string, { name = 'alice.localhost', days = 2 } = {}): void {
  const files = ['-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'cert.pem')];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    String(days),
    '-subj',
    `/CN=${name}`,
  ];
  execFileSync('openssl', [...args, '-addext', `subjectAltName=DNS:${name}`, ...files], { stdio: 'pipe' });
}
