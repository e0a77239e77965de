import { createServer, request } from 'node:http';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { createCredentials, writeCredentials } from '../../cli/testing/sign-in.ts';
import { createRepository, createTemporaryFolder } from '../../cli/testing/temporary-folder.ts';
import { serveFiles } from '../../conductor/files/server.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import { createDirectWorkplaces } from '../../conductor/testing/direct-workplaces.ts';
import { startModelServer } from '../../conductor/testing/model-server.ts';
import type { TestModelServer } from '../../conductor/testing/model-server.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import { HOSTNAME, OWNER_ID, signToken } from '../../conductor/testing/tokens.ts';
import { closeServer, listenOnFreePort } from './listen.ts';

/** A repository on a laptop of its own, which is signed in to the box. */
export interface Laptop {
  cwd: string;
  env: Record<string, string>;
  /** Where its workspace is on the box, once it was synced. */
  box: string;
}

/** Laptops that are signed in to a real conductor, which keeps files and runs, and whose model says what the test wants. */
export interface TerminalWorld extends Laptop, AsyncDisposable {
  model: TestModelServer;
  openLaptop(files: Record<string, string>): Promise<Laptop>;
  /** Cuts what is being answered now, as a lost line does. */
  cutLines(): void;
  /** What goes to these paths of the box never arrives, until this is undefined again. */
  holdLines(paths: RegExp | undefined): void;
}

export interface WorldOptions {
  /** The executable of a conductor, for places where runs work without confinement; without, there are none. */
  conductor?: string | undefined;
  /** Commands that are asked for. */
  ask?: string[];
}

const CODE = {
  device_code: 'device-code',
  user_code: 'amber-otter-lamp',
  expires_in: 900,
  interval: 5,
};
const FILES = { 'main.ts': 'export const answer = 42;\n', '.env': 'SECRET=hunter2-a8f3' };

export async function startTerminalWorld({ conductor: program, ask = [] }: WorldOptions = {}): Promise<TerminalWorld> {
  const box = await createTemporaryFolder();
  const home = path.join(box.path, 'home');
  mkdirSync(home);
  const socket = path.join(box.path, 'files.sock');
  const plane = await startControlPlane();
  const model = await startModelServer();
  const files = await serveFiles({ home, listen: { path: socket }, log: pino({ level: 'silent' }) });
  const workplaces =
    program === undefined
      ? undefined
      : createDirectWorkplaces({
          folder: path.join(box.path, 'places'),
          repository: (workspace) => path.join(home, '.local/state/spoq/workspaces', workspace, 'repo.git'),
          command: [program],
        });
  const conductor = await startConductor({
    plane,
    files: socket,
    model: { baseUrl: model.url },
    runs: { rules: { allow: [], ask, deny: [] } },
    ...(workplaces === undefined ? {} : { workplaces }),
  });
  let held: RegExp | undefined;
  // In Caddy's place, and that of the control plane for what `spoq init` asks of it.
  const door = createServer((from, to) => {
    if (held?.test(from.url ?? '') === true) return;
    if (from.url === '/auth/device') {
      const verification_uri = `${url}/device`;
      const answer = {
        ...CODE,
        verification_uri,
        verification_uri_complete: `${verification_uri}?code=${CODE.user_code}`,
      };
      to.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      return;
    }
    const { socketPath } = conductor.remote;
    const headers = { ...from.headers, host: HOSTNAME };
    const passed = request({ socketPath, method: from.method, path: from.url, headers }, (back) => {
      to.writeHead(back.statusCode ?? 502, back.headers);
      back.on('error', () => to.destroy()).pipe(to);
    });
    passed.on('error', () => to.destroy());
    to.once('close', () => passed.destroy());
    from.pipe(passed);
  });
  const { port, url } = await listenOnFreePort(door);
  const access_token = await signToken(plane.key);
  const repositories: AsyncDisposable[] = [];
  const openLaptop: TerminalWorld['openLaptop'] = async (tree) => {
    const repository = await createRepository(tree);
    repositories.push(repository);
    const spoqHome = path.join(repository.path, '.git', 'home');
    const vps_hostname = `http://alice.spoq.localhost:${port}`;
    await writeCredentials(
      path.join(spoqHome, 'credentials'),
      createCredentials({ vps_hostname, access_token, user_id: OWNER_ID }),
    );
    const env = {
      SPOQ_HOME: spoqHome,
      SPOQ_URL: url,
      SPOQ_VPS_MARKER: '/nonexistent/vps.marker',
      PATH: process.env['PATH'] ?? '',
      SSH_CONNECTION: 'x',
    };
    const name = path.basename(repository.path).toLowerCase();
    return { cwd: repository.path, env, box: path.join(home, 'workspaces', name) };
  };
  return {
    ...(await openLaptop(FILES)),
    model,
    openLaptop,
    cutLines: () => door.closeAllConnections(),
    holdLines: (paths) => void (held = paths),
    async [Symbol.asyncDispose]() {
      door.closeAllConnections();
      await closeServer(door);
      await conductor.close();
      await Promise.all([workplaces?.closeAll(), model.close(), files.close()]);
      await plane.close();
      for (const one of [...repositories, box]) await one[Symbol.asyncDispose]();
    },
  };
}
