import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import type { BoxStatus } from '../../contract/conductor.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createCredentials, USER_ID, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

const STATUS: BoxStatus = {
  hostname: 'alice.spoq.dev',
  version: '0.1.0',
  model: 'claude-test',
  uptime_seconds: 11_520,
  load_average: 0.123,
  memory: { total_bytes: 8e9, free_bytes: 5.2e9 },
  disk: { total_bytes: 1e11, free_bytes: 8.1e10 },
  running: 1,
  unreachable: [],
};

const PERIOD = { limit_usd: 5, spent_usd: 1.2, reserved_usd: 0.08, left_usd: 3.72, ends_at: '2026-01-03T00:00:00Z' };
const WORK = {
  id: '4dd3c3a4-6f0f-4be5-8d1c-1b1f0f5b8a01',
  title: 'mend the parser',
  state: 'running',
  last_kind: 'run',
  updated_at: '2026-01-02T03:00:00Z',
} as const;
const MORE = {
  versions: { conductor: '0.1.0', spoq: '0.1.2', system: 'Debian GNU/Linux 12 (bookworm)', kernel: '6.1.0' },
  certificate: { name: 'alice.spoq.dev', issuer: "Let's Encrypt", ends_at: '2026-03-03T00:00:00Z' },
  budget: { day: PERIOD, month: { ...PERIOD, limit_usd: null, spent_usd: 12, reserved_usd: 0, left_usd: null } },
  work: [WORK, { ...WORK, title: 'and the printer', state: 'waiting' }],
} satisfies Partial<BoxStatus>;

interface Result {
  code: number;
  out: string;
  err: string;
}

interface Scene {
  server: FakeServer;
  home: string;
  run(args?: string[], env?: Record<string, string>, columns?: number): Promise<Result>;
}

async function withBox(handler: Handler, check: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await createTemporaryFolder();
  await using server = await startFakeServer({ 'GET /api/status': handler });
  const hostname = `http://alice.spoq.localhost:${server.port}`;
  await writeCredentials(
    join(folder.path, '.spoq', 'credentials'),
    createCredentials({ vps_hostname: hostname, expires_at: '2026-01-02T03:46:05Z' }),
  );
  const run: Scene['run'] = async (args = [], env = {}, columns) => {
    const deps = createTestDeps({
      homeFolder: folder.path,
      env,
      ...(columns === undefined ? {} : { tty: true, columns }),
    });
    const code = await runCli(deps, ['status', ...args]);
    return { code, out: deps.out().replaceAll(String(server.port), 'PORT'), err: deps.err() };
  };
  await check({ server, home: folder.path, run });
}

describe('spoq status', () => {
  it('shows the box and the sign-in', () =>
    withBox(
      (_, res) => sendJson(res, 200, STATUS),
      async ({ server, run }) => {
        expect(await run()).to.deep.equal({
          code: 0,
          out: `Box         alice.spoq.localhost
State       running for 3 h 12 min, 1 answer being written
Model       claude-test
Load        0.12
Memory      5.2 GB free of 8.0 GB
Disk        81 GB free of 100 GB
Version     0.1.0
Sign-in     renews itself; the present token lasts 42 min (until 2026-01-02T03:46:05Z)
Kept in     ~/.spoq/credentials
`,
          err: '',
        });
        expect(server.requests[0]?.headers.authorization).to.equal('Bearer access-1');
      },
    ));

  it('speaks JSON', () =>
    withBox(
      (_, res) => sendJson(res, 200, STATUS),
      async ({ home, run }) => {
        expect(JSON.parse((await run(['--json'])).out)).to.deep.equal({
          url: 'http://alice.spoq.localhost:PORT',
          on_box: false,
          user_id: USER_ID,
          notice: null,
          token_expires_at: '2026-01-02T03:46:05Z',
          credentials_path: join(home, '.spoq', 'credentials'),
          box: STATUS,
        });
      },
    ));

  it('shows versions, certificate, budget and work, and fits a phone', () =>
    withBox(
      (_, res) => sendJson(res, 200, { ...STATUS, ...MORE }),
      async ({ run }) => {
        const { code, out } = await run();
        expect([code, out.split('\n').slice(6, 12)]).to.deep.equal([
          0,
          [
            'Version     conductor 0.1.0, spoq 0.1.2, Debian GNU/Linux 12 (bookworm)',
            'Certificate alice.spoq.dev, for another 59 d 20 h',
            'Today       $1.20 of $5.00, $0.08 set aside',
            'This month  $12.00 of no limit',
            'At work     4dd3c3a4 run: mend the parser',
            'Waits       4dd3c3a4 run: and the printer',
          ],
        ]);
        const narrow = await run([], {}, 40);
        const tooLong = stripVTControlCharacters(narrow.out)
          .split('\n')
          .filter((line) => line.length > 40 && line.trim().includes(' '));
        expect(tooLong.map((line) => line.slice(0, 12))).to.deep.equal([]);
        expect((JSON.parse((await run(['--json'])).out) as { box: unknown }).box).to.deep.equal({ ...STATUS, ...MORE });
      },
    ));

  it('says that the front door does not answer, or shows a certificate that has run out', async () => {
    for (const [certificate, words] of [
      [null, 'the front door does not answer'],
      [{ ...MORE.certificate, ends_at: '2026-01-01T00:00:00Z' }, 'alice.spoq.dev, which has run out'],
    ] as const) {
      await withBox(
        (_, res) => sendJson(res, 200, { ...STATUS, certificate }),
        async ({ run }) => {
          expect((await run()).out).to.contain(`\nCertificate ${words}\n`);
        },
      );
    }
  });

  it('says what the box cannot reach', () =>
    withBox(
      (_, res) =>
        sendJson(res, 200, {
          ...STATUS,
          unreachable: [{ service: 'control_plane', since: '2026-01-02T03:00:05Z', reason: 'no such name' }],
        }),
      async ({ run }) => {
        expect((await run()).out).to.contain('\nUnreached   Spoq, for 4 min: no such name\n');
      },
    ));

  it('understands a box that does not tell what it can reach', () =>
    withBox(
      (_, res) => sendJson(res, 200, { ...STATUS, unreachable: undefined }),
      async ({ run }) => {
        expect((await run()).code).to.equal(0);
      },
    ));

  it('uses no token on a box', () =>
    withBox(
      (_, res) => sendJson(res, 200, STATUS),
      async ({ server, home, run }) => {
        const marker = join(home, 'marker');
        await writeFile(
          marker,
          JSON.stringify({ vps: true, conductor: `http://localhost:${server.port}`, version: '1.0' }),
        );
        const { code, out } = await run([], { SPOQ_VPS_MARKER: marker });
        expect([code, out.split('\n')[0], out.split('\n')[7]]).to.deep.equal([
          0,
          'Box         this machine (alice.spoq.dev)',
          'Sign-in     not needed here',
        ]);
        expect(server.requests[0]?.headers.authorization).to.equal(undefined);
        expect(server.requests[0]?.headers.host).to.equal(`localhost:${server.port}`);
      },
    ));

  it('shows what it knows when the box does not answer, and exits 69', () =>
    withBox(
      (_, res) => void res.writeHead(502).end('no machine'),
      async ({ run }) => {
        const { code, out, err } = await run();
        expect([code, out.split('\n').slice(0, 2), err]).to.deep.equal([
          69,
          ['Box         alice.spoq.localhost', 'State       no answer'],
          'alice.spoq.localhost answered 502, and not as Spoq does. The box may be restarting; trying again for up to 10 s.\n' +
            '✗ The box cannot be reached.\n  alice.spoq.localhost answered 502, and not as Spoq does.\n  Check your connection, then `spoq status`.\n',
        ]);
        const json = await run(['--json']);
        expect([
          json.code,
          (JSON.parse(json.out) as { box: unknown }).box,
          (JSON.parse(json.err.split('\n')[1] ?? '') as { code: string }).code,
        ]).to.deep.equal([69, null, 'box_unreachable']);
      },
    ));

  it('does not believe a box that speaks otherwise', () =>
    withBox(
      (_, res) => sendJson(res, 200, { hello: 1 }),
      async ({ run }) => {
        expect((await run()).err).to.contain('alice.spoq.localhost answered, but not as a box does.');
      },
    ));

  it('needs a sign-in', async () => {
    const deps = createTestDeps();
    expect(await runCli(deps, ['status'])).to.equal(4);
    expect(deps.err()).to.equal("✗ This computer is not signed in.\n  Run 'spoq init' first.\n");
  });

  it('asks again when the line is cut before the answer, since it only reads', () => {
    let tries = 0;
    const handler: Handler = (_, response) => {
      if (++tries < 3) response.destroy();
      else sendJson(response, 200, STATUS);
    };
    return withBox(handler, async ({ run }) => {
      const { code, err } = await run(['--json']);
      expect([code, tries]).to.deep.equal([0, 3]);
      expect(err).to.contain('closed the connection');
    });
  });
});
