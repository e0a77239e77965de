import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { loadCredentials } from '../auth/credentials.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createCredentials, createTokens } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

interface Scene {
  server: FakeServer;
  home: string;
  /** `browse` is what the browser does with the address that it was started with. */
  run(browse: (url: URL, deps: TestDeps) => unknown, args?: string[], options?: TestDepsOptions): Promise<Ended>;
}

interface Ended {
  code: number;
  deps: TestDeps;
  /** Where it listened. */
  redirect: string;
}

async function withControlPlane(token: Handler, check: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await createTemporaryFolder();
  await using server = await startFakeServer({ 'POST /auth/token': token });
  const run: Scene['run'] = async (browse, args = [], { env, ...options } = {}) => {
    const deps = createTestDeps({
      homeFolder: folder.path,
      env: { SPOQ_URL: server.url, DISPLAY: ':0', TERM: 'dumb', NO_COLOR: '1', ...env },
      tty: true,
      // Nobody is late, until the sign-in ends or is stopped.
      sleep: waitForStop,
      ...options,
    });
    let redirect = '';
    deps.openUrl = (address) => {
      deps.opened.push(address);
      redirect = new URL(address).searchParams.get('redirect_uri') ?? '';
      void browse(new URL(address), deps);
    };
    return { code: await runCli(deps, ['init', '--browser', ...args]), deps, redirect };
  };
  await check({ server, home: folder.path, run });
}

function waitForStop(_: number, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

const TOKENS: Handler = (_, res) => sendJson(res, 200, createTokens());

/** What the control plane would send the browser back with. */
function answerOf(url: URL, answer: Record<string, string>): URL {
  const back = new URL(url.searchParams.get('redirect_uri') ?? '');
  const own = { state: url.searchParams.get('state') ?? '', iss: url.origin };
  back.search = new URLSearchParams({ ...own, ...answer }).toString();
  return back;
}

function isListening(redirect: string): Promise<boolean> {
  const socket = connect(Number(new URL(redirect).port), '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

describe('spoq init --browser', () => {
  it('opens the browser, takes the code from the loopback and keeps the tokens', () =>
    withControlPlane(TOKENS, async ({ server, home, run }) => {
      const pages: [number, string | null, string][] = [];
      const { code, deps, redirect } = await run(async (url) => {
        const page = await fetch(answerOf(url, { code: 'code-1' }));
        pages.push([page.status, page.headers.get('cache-control'), await page.text()]);
      });
      const [address = ''] = deps.opened;
      const asked = Object.fromEntries(new URL(address).searchParams);
      expect(address.startsWith(`${server.url}/auth/cli?`)).to.equal(true);
      expect(asked).to.deep.equal({
        response_type: 'code',
        client_id: 'spoq-cli',
        redirect_uri: redirect,
        code_challenge: asked['code_challenge'],
        code_challenge_method: 'S256',
        state: asked['state'],
        hostname: 'test-laptop',
      });
      expect(redirect).to.match(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
      expect(asked['state']).to.match(/^[\w-]{22}$/);
      const sent = Object.fromEntries(new URLSearchParams(server.requests[0]?.body));
      const verifier = sent['code_verifier'] ?? '';
      expect(sent).to.deep.equal({
        grant_type: 'authorization_code',
        code: 'code-1',
        redirect_uri: redirect,
        code_verifier: verifier,
        client_id: 'spoq-cli',
      });
      expect(createHash('sha256').update(verifier).digest('base64url')).to.equal(asked['code_challenge']);
      expect([code, deps.out()]).to.deep.equal([
        0,
        `Approve in your browser. If none opens, visit this URL on this computer:\n${address}\n\n✓ Authenticated!\n\nAccount:  alice\nYour VPS: alice.spoq.dev\nReady to use! Try: spoq ask "what can you do for me?"\n\nToken saved to ~/.spoq/credentials\n`,
      ]);
      const kept = await loadCredentials(join(home, '.spoq', 'credentials'));
      expect(kept).to.deep.equal(createCredentials({ expires_at: kept?.expires_at ?? '' }));
      expect(pages).to.deep.equal([[200, 'no-store', pages[0]?.[2]]]);
      expect(pages[0]?.[2]).to.include('Go back to your terminal');
      expect(await isListening(redirect)).to.equal(false);
    }));

  it('speaks JSON lines', () =>
    withControlPlane(TOKENS, async ({ run }) => {
      const { deps } = await run((url) => fetch(answerOf(url, { code: 'code-1' })), ['--json']);
      const lines = deps
        .out()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string });
      expect(lines.map(({ type }) => type)).to.deep.equal(['browser', 'signed_in']);
      expect(lines[0]).to.deep.equal({ type: 'browser', url: deps.opened[0] });
    }));

  it('turns everything else away and goes on listening', () =>
    withControlPlane(TOKENS, async ({ server, run }) => {
      const statuses: number[] = [];
      const { code } = await run(async (url) => {
        const right = answerOf(url, { code: 'code-1' });
        const strange = [
          new URL('/', right),
          new URL('/favicon.ico', right),
          answerOf(url, { code: 'evil', state: 'guessed' }),
          answerOf(url, { code: 'evil', state: '' }),
        ];
        for (const one of strange) statuses.push((await fetch(one)).status);
        statuses.push((await fetch(right, { method: 'POST' })).status);
        statuses.push((await fetch(right)).status);
      });
      expect([code, statuses]).to.deep.equal([0, [404, 404, 404, 404, 404, 200]]);
      expect(server.requests).to.have.length(1);
    }));

  const ENDS: [string, Record<string, string>, number, string][] = [
    ['was denied', { error: 'access_denied' }, 77, 'The sign-in was denied.'],
    ['failed', { error: 'invalid_request', error_description: 'Missing\u001b[31m' }, 77, 'Missing'],
    ['brings no code', {}, 77, 'There was no code in the answer.'],
    ['comes from another server', { code: 'c', iss: 'https://evil.example' }, 77, 'came from https://evil.example'],
    ['comes from nobody', { code: 'c', iss: '' }, 77, 'was asked'],
  ];
  for (const [name, answer, exit, words] of ENDS)
    it(`exits ${exit}, asks for nothing and keeps nothing when the answer ${name}`, () =>
      withControlPlane(TOKENS, async ({ server, home, run }) => {
        const { code, deps, redirect } = await run((url) => fetch(answerOf(url, answer)));
        expect(code).to.equal(exit);
        expect(deps.err()).to.contain(words).and.not.contain('\u001b[31m');
        expect(server.requests).to.deep.equal([]);
        expect(await readdir(home)).to.deep.equal([]);
        expect(await isListening(redirect)).to.equal(false);
      }));

  it('says it when the code is not taken', () =>
    withControlPlane(
      (_, res) => sendJson(res, 400, { error: 'invalid_grant', error_description: 'The code is unknown.' }),
      async ({ home, run }) => {
        const { code, deps } = await run((url) => fetch(answerOf(url, { code: 'code-1' })));
        expect([code, deps.err().includes('The code is unknown.')]).to.deep.equal([77, true]);
        expect(await readdir(home)).to.deep.equal([]);
      },
    ));

  it('leaves nothing behind on Ctrl-C', () =>
    withControlPlane(TOKENS, async ({ home, run }) => {
      const stop = (_: URL, deps: TestDeps) => deps.stop.abort(new SpoqError('cancelled'));
      const { code, deps, redirect } = await run(stop);
      expect([code, deps.err()]).to.deep.equal([130, 'Stopped.\n']);
      expect(await readdir(home)).to.deep.equal([]);
      expect(await isListening(redirect)).to.equal(false);
    }));

  it('waits ten minutes', () =>
    withControlPlane(TOKENS, async ({ run }) => {
      const waits: number[] = [];
      const sleep = async (ms: number) => void waits.push(ms);
      const { code, deps, redirect } = await run(() => undefined, [], { sleep });
      expect([code, waits]).to.deep.equal([4, [600_000]]);
      expect(deps.err()).to.contain('no answer within ten minutes');
      expect(await isListening(redirect)).to.equal(false);
    }));

  it('says what to do where no browser can be opened', () =>
    withControlPlane(TOKENS, async ({ run }) => {
      const places: TestDepsOptions[] = [
        { env: { DISPLAY: '' } },
        { env: { SSH_CONNECTION: '1' } },
        { env: { CI: '1' } },
        { tty: false },
      ];
      for (const place of places) {
        const { code, deps } = await run(() => undefined, [], place);
        expect([code, deps.opened, deps.out()]).to.deep.equal([64, [], '']);
        expect(deps.err()).to.contain('No browser can be opened here').and.contain('Run `spoq init`');
      }
    }));
});
