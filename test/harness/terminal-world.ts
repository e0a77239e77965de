import { createServer, request } from 'node:http';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createCredentials, writeCredentials } from '../../cli/testing/sign-in.ts';
import { createRepository } from '../../cli/testing/temporary-folder.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import { startModelServer } from '../../conductor/testing/model-server.ts';
import type { TestModelServer } from '../../conductor/testing/model-server.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import { HOSTNAME, OWNER_ID, signToken } from '../../conductor/testing/tokens.ts';
import { closeServer, listenOnFreePort } from './listen.ts';

/** A repository on a laptop that is signed in to a real conductor, whose model says what the test wants. */
export interface TerminalWorld extends AsyncDisposable {
  cwd: string;
  env: Record<string, string>;
  model: TestModelServer;
  /** Cuts what is being answered now, as a lost line does. */
  cutLines(): void;
}

const CODE = {
  device_code: 'device-code',
  user_code: 'amber-otter-lamp',
  expires_in: 900,
  interval: 5,
};

export async function startTerminalWorld(): Promise<TerminalWorld> {
  const plane = await startControlPlane();
  const model = await startModelServer();
  const conductor = await startConductor({ plane, model: { baseUrl: model.url } });
  // In Caddy's place, and that of the control plane for what `spoq init` asks of it.
  const door = createServer((from, to) => {
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
  const repository = await createRepository({
    'main.ts': 'export const answer = 42;\n',
    '.env': 'SECRET=hunter2-a8f3',
  });
  const home = join(repository.path, '.git', 'home');
  await mkdir(home, { mode: 0o700 });
  await writeCredentials(
    join(home, 'credentials'),
    createCredentials({
      vps_hostname: `http://alice.spoq.localhost:${port}`,
      access_token: await signToken(plane.key),
      user_id: OWNER_ID,
    }),
  );
  return {
    cwd: repository.path,
    env: {
      SPOQ_HOME: home,
      SPOQ_URL: url,
      SPOQ_VPS_MARKER: '/nonexistent/vps.marker',
      PATH: process.env['PATH'] ?? '',
      SSH_CONNECTION: 'x',
    },
    model,
    cutLines: () => door.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      door.closeAllConnections();
      await closeServer(door);
      await Promise.all([conductor.close(), model.close()]);
      await plane.close();
      await repository[Symbol.asyncDispose]();
    },
  };
}
