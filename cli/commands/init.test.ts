import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { loadCredentials } from '../auth/credentials.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createCredentials, createTokens, USER_ID, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

const GRANT = {
  device_code: 'device-1',
  user_code: 'BLUE-FISH-TREE',
  verification_uri: 'https://spoq.dev/auth/verify',
  verification_uri_complete: 'https://spoq.dev/auth/verify?code=BLUE-FISH-TREE',
  expires_in: 900,
  interval: 5,
};
const SHOWN = `Visit this URL to authenticate:
https://spoq.dev/auth/verify?code=BLUE-FISH-TREE

Approve only if the page shows this code: BLUE-FISH-TREE

`;
const READY = `✓ Authenticated!

Account:  alice
Your VPS: alice.spoq.dev
Ready to use! Try: spoq ask "what can you do for me?"

Token saved to ~/.spoq/credentials
`;

interface Scene {
  server: FakeServer;
  home: string;
  path: string;
  run(args?: string[], options?: TestDepsOptions): Promise<{ code: number; deps: TestDeps }>;
}

/** A control plane where the second poll is approved, unless `handlers` say otherwise. */
async function withControlPlane(
  handlers: Record<string, Handler>,
  check: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using folder = await createTemporaryFolder();
  let polls = 0;
  await using server = await startFakeServer({
    'POST /auth/device': (_, res) => sendJson(res, 200, GRANT),
    'POST /auth/device/token': (_, res) =>
      polls++ === 0 ? sendJson(res, 400, { error: 'authorization_pending' }) : sendJson(res, 200, createTokens()),
    ...handlers,
  });
  const run: Scene['run'] = async (args = [], { env, ...options } = {}) => {
    const deps = createTestDeps({ homeFolder: folder.path, env: { SPOQ_URL: server.url, ...env }, ...options });
    return { code: await runCli(deps, ['init', ...args]), deps };
  };
  await check({ server, home: folder.path, path: join(folder.path, '.spoq', 'credentials'), run });
}

describe('spoq init', () => {
  it('shows URL and code, waits, keeps the tokens', () =>
    withControlPlane({}, async ({ server, path, run }) => {
      const { code, deps } = await run();
      expect({ code, out: deps.out(), err: deps.err(), opened: deps.opened }).to.deep.equal({
        code: 0,
        out: SHOWN + READY,
        err: 'Waiting...\n',
        opened: [],
      });
      expect(await loadCredentials(path)).to.deep.equal(createCredentials({ expires_at: '2026-01-02T04:04:16Z' }));
      const poll = [
        '/auth/device/token',
        { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'device-1', client_id: 'spoq-cli' },
      ];
      expect(
        server.requests.map(({ path: at, body }) => [at, Object.fromEntries(new URLSearchParams(body))]),
      ).to.deep.equal([['/auth/device', { client_id: 'spoq-cli', hostname: 'test-laptop' }], poll, poll]);
    }));

  it('opens the browser where a person can see it', async () => {
    const screens: [TestDepsOptions, string[], number][] = [
      [{ tty: true, env: { DISPLAY: ':0', TERM: 'dumb' } }, [], 1],
      [{ tty: true, env: { TERM: 'dumb' }, platform: 'darwin' }, [], 1],
      [{ tty: true, env: { TERM: 'dumb' } }, [], 0],
      [{ tty: true, env: { DISPLAY: ':0', SSH_CONNECTION: '1', TERM: 'dumb' } }, [], 0],
      [{ tty: true, env: { DISPLAY: ':0', TERM: 'dumb' } }, ['--no-browser'], 0],
      [{ tty: false, env: { DISPLAY: ':0' } }, [], 0],
    ];
    for (const [options, args, times] of screens) {
      await withControlPlane({}, async ({ run }) => {
        const { deps } = await run(args, options);
        expect(deps.opened).to.deep.equal(Array(times).fill(GRANT.verification_uri_complete));
      });
    }
  });

  it('spins on a terminal and cleans up after itself', () =>
    withControlPlane({}, async ({ run }) => {
      const { deps } = await run([], { tty: true });
      expect(deps.err().startsWith('\r\u001b[K⠋ Waiting… 0 s')).to.equal(true);
      expect(deps.err().endsWith('\r\u001b[K')).to.equal(true);
    }));

  it('says when the box is not ready yet', () =>
    withControlPlane(
      { 'POST /auth/device/token': (_, res) => sendJson(res, 200, createTokens({ vps_status: 'provisioning' })) },
      async ({ run }) => {
        const { deps } = await run();
        expect(deps.out()).to.contain('It is not ready yet (provisioning). See how far it is: spoq status\n');
      },
    ));

  it('speaks JSON lines', () =>
    withControlPlane({}, async ({ path, run }) => {
      const { deps } = await run(['--json']);
      const { device_code: _, interval: __, ...code } = GRANT;
      expect(
        deps
          .out()
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).to.deep.equal([
        { type: 'code', ...code },
        {
          type: 'signed_in',
          user_id: USER_ID,
          username: 'alice',
          vps_hostname: 'https://alice.spoq.dev',
          vps_status: 'ready',
          expires_at: '2026-01-02T04:04:16Z',
          path,
        },
      ]);
    }));

  it('leaves a sign-in alone without a terminal, and without --force', () =>
    withControlPlane({}, async ({ server, path, run }) => {
      await writeCredentials(path, createCredentials({ access_token: 'old' }));
      const { code, deps } = await run();
      expect([code, deps.out()]).to.deep.equal([
        0,
        'This computer is signed in to alice.spoq.dev. Nothing was changed. (spoq init --force signs in again)\n',
      ]);
      expect((await run(['--json'])).deps.out()).to.equal(
        '{"type":"already_signed_in","vps_hostname":"https://alice.spoq.dev"}\n',
      );
      expect(server.requests).to.deep.equal([]);
      expect((await run(['--force'])).code).to.equal(0);
      expect((await loadCredentials(path))?.access_token).to.equal('access-1');
    }));

  it('asks on a terminal', () =>
    withControlPlane({}, async ({ path, run }) => {
      await writeCredentials(path, createCredentials({ access_token: 'old' }));
      const no = await run([], { tty: true, answer: false });
      expect(no.deps.asked).to.deep.equal(['This computer is signed in to alice.spoq.dev. Sign in again?']);
      expect((await loadCredentials(path))?.access_token).to.equal('old');
      await run([], { tty: true, answer: true });
      expect((await loadCredentials(path))?.access_token).to.equal('access-1');
    }));

  it('repairs a broken file', () =>
    withControlPlane({}, async ({ home, path, run }) => {
      await mkdir(join(home, '.spoq'));
      await writeFile(path, '{"broken');
      expect((await run()).code).to.equal(0);
      expect((await loadCredentials(path))?.access_token).to.equal('access-1');
    }));

  it('is not needed on a box', () =>
    withControlPlane({}, async ({ server, home, run }) => {
      await writeFile(join(home, 'marker'), '{"vps":true,"conductor":"http://localhost:8080","version":"1.0"}');
      const { code, deps } = await run([], { env: { SPOQ_VPS_MARKER: join(home, 'marker') } });
      expect([code, deps.out()]).to.deep.equal([
        0,
        'This is your box: no sign-in is needed here. Try: spoq ask "what runs on this machine?"\n',
      ]);
      expect(server.requests).to.deep.equal([]);
    }));

  const ENDS: [string, Record<string, Handler>, number, string][] = [
    [
      'is denied',
      { 'POST /auth/device/token': (_, res) => sendJson(res, 400, { error: 'access_denied' }) },
      77,
      'The sign-in was denied.',
    ],
    [
      'expires',
      { 'POST /auth/device/token': (_, res) => sendJson(res, 400, { error: 'expired_token' }) },
      4,
      'The code has expired.',
    ],
    [
      'meets something else',
      { 'POST /auth/device': (_, res) => void res.writeHead(200).end('<html>') },
      69,
      'Spoq cannot be reached.',
    ],
    [
      'meets a broken server',
      { 'POST /auth/device': (_, res) => sendJson(res, 500, { error: 'server_error' }) },
      69,
      'Spoq cannot be reached.',
    ],
    [
      'is sent to an address in clear',
      {
        'POST /auth/device': (_, res) =>
          sendJson(res, 200, { ...GRANT, verification_uri_complete: 'http://evil.example/' }),
      },
      64,
      'https only',
    ],
  ];
  for (const [name, handlers, expected, words] of ENDS) {
    it(`exits ${expected} and keeps nothing when it ${name}`, () =>
      withControlPlane(handlers, async ({ home, run }) => {
        const { code, deps } = await run();
        expect(code).to.equal(expected);
        expect(deps.err()).to.contain(words);
        expect(await readdir(home)).to.deep.equal([]);
      }));
  }

  it('leaves nothing behind on Ctrl-C', () =>
    withControlPlane(
      { 'POST /auth/device/token': (_, res) => sendJson(res, 400, { error: 'authorization_pending' }) },
      async ({ home, run }) => {
        const { code, deps } = await run([], { sleep: () => Promise.reject(new SpoqError('cancelled')) });
        expect([code, deps.err()]).to.deep.equal([130, 'Waiting...\nStopped.\n']);
        expect(await readdir(home)).to.deep.equal([]);
      },
    ));
});
