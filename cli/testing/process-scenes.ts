import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { loadCredentials } from '../auth/credentials.ts';
import { beginStream, sendJson, startFakeServer } from './fake-server.ts';
import type { FakeServer, Handler } from './fake-server.ts';
import { runSpoq, startSpoq } from './run-spoq.ts';
import { createCredentials, createTokens, writeCredentials } from './sign-in.ts';
import { createRepository } from './temporary-folder.ts';

const run = promisify(execFile);

export interface ProcessScene {
  server: FakeServer;
  cwd: string;
  env: Record<string, string>;
  credentials: string;
}

/** A repository, a sign-in that lasts until `expires_at`, and a server that is box and control plane at once. */
export async function withProcess(
  handlers: Record<string, Handler>,
  check: (scene: ProcessScene) => Promise<void>,
  expires_at = '2099-01-01T00:00:00Z',
): Promise<void> {
  await using repository = await createRepository({
    'main.ts': 'export const answer = 42;\n',
    '.env': 'SECRET=hunter2-a8f3',
    'key.txt': '-----BEGIN RSA PRIVATE KEY-----\nMIIsecret\n-----END RSA PRIVATE KEY-----\n',
    '.gitignore': 'home/\n',
  });
  await using server = await startFakeServer(handlers);
  const home = join(repository.path, 'home');
  const credentials = join(home, 'credentials');
  const vps_hostname = `http://alice.spoq.localhost:${server.port}`;
  await writeCredentials(credentials, createCredentials({ vps_hostname, expires_at }));
  await check({
    server,
    cwd: repository.path,
    env: { SPOQ_HOME: home, SPOQ_URL: server.url, HOME: home },
    credentials,
  });
}

/** An answer that goes on only when it is told to. */
function createPacedAnswer(): { handler: Handler; send(event: ConversationEvent): void; end(): void } {
  let paced: { send(event: ConversationEvent): void; end(): void } | undefined;
  return {
    handler: (_, response) => {
      const send = beginStream(response);
      paced = { send, end: () => void response.end() };
      send({ type: 'text', text: 'The first words ' });
    },
    send: (event) => paced?.send(event),
    end: () => paced?.end(),
  };
}

export const DONE: ConversationEvent = { type: 'done', stop_reason: 'stop', input_tokens: 1, output_tokens: 1 };

/** What must hold for `node cli/main.ts` and for the compiled program alike. */
export function describeProcess(getProgram: () => string[]): void {
  it('prints the first words while the box still speaks', async () => {
    const answer = createPacedAnswer();
    await withProcess({ 'POST /api/ask': answer.handler }, async ({ server, cwd, env }) => {
      const spoq = startSpoq(['ask', 'what is it?'], { cwd, env, program: getProgram() });
      // The answer can't have ended: the server goes on only after these words were seen.
      await spoq.waitForOut('The first words ');
      answer.send({ type: 'text', text: 'and the last.' });
      answer.send(DONE);
      answer.end();
      expect(await spoq.ended).to.deep.equal({
        code: 0,
        out: 'The first words and the last.\n',
        err: "3 files, 79 B, 2 withheld, to alice's box alice.spoq.localhost\n",
      });
      expect(server.requests[0]?.body).to.not.match(/hunter2|MIIsecret/);
    });
  });

  it('stops on Ctrl-C, closes the connection and exits 130', async () => {
    const answer = createPacedAnswer();
    await withProcess({ 'POST /api/ask': answer.handler }, async ({ server, cwd, env }) => {
      const spoq = startSpoq(['ask', 'what is it?'], { cwd, env, program: getProgram() });
      await spoq.waitForOut('The first words ');
      spoq.child.kill('SIGINT');
      expect(await spoq.ended).to.deep.equal({
        code: 130,
        out: 'The first words \n',
        err: "3 files, 79 B, 2 withheld, to alice's box alice.spoq.localhost\nStopped.\n",
      });
      await server.requests[0]?.closed;
    });
  });

  it('refreshes once for ten processes at the same time', async () => {
    const renewed: Handler = (_, response) =>
      sendJson(
        response,
        200,
        createTokens({ access_token: 'access-2', refresh_token: 'refresh-2', vps_hostname: box.url }),
      );
    const echo: Handler = (request, response) => {
      const send = beginStream(response);
      send({ type: 'text', text: request.headers.authorization ?? 'none' });
      send(DONE);
      response.end();
    };
    const box = { url: '' };
    await withProcess(
      { 'POST /auth/refresh': renewed, 'POST /api/ask': echo },
      async ({ server, cwd, env, credentials }) => {
        box.url = `http://alice.spoq.localhost:${server.port}`;
        const options = { cwd, env, program: getProgram() };
        const all = await Promise.all(Array.from({ length: 10 }, () => runSpoq(['ask', '--no-repo', 'hi'], options)));
        expect(all.map(({ code, out }) => [code, out])).to.deep.equal(
          Array.from({ length: 10 }, () => [0, 'Bearer access-2\n']),
        );
        expect(server.requests.filter((request) => request.path === '/auth/refresh')).to.have.lengthOf(1);
        expect((await loadCredentials(credentials))?.refresh_token).to.equal('refresh-2');
      },
      '2020-01-01T00:00:00Z',
    );
  });

  it('goes quietly when its reader has enough', async () => {
    const endless: Handler = (_, response) => {
      const send = beginStream(response);
      const timer = setInterval(() => send({ type: 'text', text: 'a line\n' }), 5);
      response.once('close', () => clearInterval(timer));
    };
    await withProcess({ 'POST /api/ask': endless }, async ({ server, cwd, env }) => {
      const command = `${getProgram()
        .map((word) => `'${word}'`)
        .join(' ')} ask hi 2>err.txt </dev/null | head -1; echo "$\{PIPESTATUS[0]}"; cat err.txt`;
      const all = { PATH: process.env.PATH ?? '', SPOQ_VPS_MARKER: '/nonexistent/vps.marker', ...env };
      const { stdout } = await run('bash', ['-c', command], { cwd, env: all });
      expect(stdout).to.match(/^a line\n0\n\d files, \d+ B, 2 withheld, to alice's box alice.spoq.localhost\n$/);
      await server.requests[0]?.closed;
    });
  });

  it('does not hang on a pipe that nobody writes to', async () => {
    const done: Handler = (_, response) => {
      beginStream(response)(DONE);
      response.end();
    };
    await withProcess({ 'POST /api/ask': done }, async ({ cwd, env }) => {
      const program = getProgram();
      const open = runSpoq(['ask', 'hi'], { cwd, env, program, stdin: 'open' });
      const never = runSpoq(['ask', '--no-stdin', 'hi'], { cwd, env, program, stdin: 'open' });
      const piped = runSpoq(['ask', '--dry-run', '--json', 'hi'], { cwd, env, program, stdin: 'four' });
      const nothing = runSpoq(['ask'], { cwd, env, program, stdin: '' });
      const counts = "3 files, 79 B, 2 withheld, to alice's box alice.spoq.localhost\n";
      const notice = 'Nothing came on stdin: going on without it. (--no-stdin: never look; -: wait for it)\n';
      expect(await open).to.deep.equal({ code: 0, out: '', err: notice + counts });
      expect(await never).to.deep.equal({ code: 0, out: '', err: counts });
      expect(JSON.parse((await piped).out)).to.deep.include({ stdin: { bytes: 4, cut_bytes: 0, withheld: [] } });
      expect((await nothing).code).to.equal(64);
    });
  });
}
