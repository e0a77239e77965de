import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadCredentials } from '../auth/credentials.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDepsOptions } from '../testing/create-test-deps.ts';
import { answerWith, TEST_START, beginStream, sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createCredentials, createTokens, writeCredentials } from '../testing/sign-in.ts';
import { createRepository, createTemporaryFolder } from '../testing/temporary-folder.ts';

interface Result {
  code: number;
  out: string;
  err: string;
}

interface Scene {
  server: FakeServer;
  home: string;
  ask(args: string[], options?: TestDepsOptions): Promise<Result>;
}

/** A repository with a planted secret, a sign-in and a box. */
async function withBox(handlers: Record<string, Handler>, check: (scene: Scene) => Promise<void>): Promise<void> {
  await using repository = await createRepository({
    'main.ts': 'export const answer = 42;\n',
    '.env': 'SECRET=hunter2-a8f3',
    'keys/id_rsa': '-----BEGIN RSA PRIVATE KEY-----\nMIIsecret\n-----END RSA PRIVATE KEY-----\n',
    '.spoqignore': 'home/\n',
  });
  await using server = await startFakeServer(handlers);
  const home = join(repository.path, 'home');
  await writeCredentials(
    join(home, '.spoq', 'credentials'),
    createCredentials({ vps_hostname: `http://alice.spoq.localhost:${server.port}` }),
  );
  const ask: Scene['ask'] = async (args, { env, ...options } = {}) => {
    const deps = createTestDeps({
      cwd: repository.path,
      homeFolder: home,
      env: { SPOQ_URL: server.url, ...env },
      ...options,
    });
    const code = await runCli(deps, ['ask', ...args]);
    return { code, out: deps.out(), err: deps.err() };
  };
  await check({ server, home, ask });
}

const ANSWER = { 'POST /api/ask': answerWith('It is **', '42**.') };

describe('spoq ask', () => {
  it('sends question and files, and prints the answer as it is', () =>
    withBox(ANSWER, async ({ server, ask }) => {
      expect(await ask(['what', 'is', 'it?'])).to.deep.equal({
        code: 0,
        out: 'It is **42**.\n',
        err: "2 files, 32 B, 2 withheld, to alice's box alice.spoq.localhost\n",
      });
      const [request] = server.requests;
      const body = JSON.parse(request?.body ?? '') as { request: string; folder: { key: string; name: string } };
      expect(body.request).to.match(/^[\da-f-]{36}$/);
      expect(body.folder.key).to.match(/^[\da-f]{32}$/);
      expect({ ...body, request: '', folder: '' }).to.deep.equal({
        request: '',
        folder: '',
        question: 'what is it?',
        files: [
          { path: '.spoqignore', content: 'home/\n' },
          { path: 'main.ts', content: 'export const answer = 42;\n' },
        ],
      });
      expect(request?.body).to.not.match(/hunter2|MIIsecret/);
      expect(request?.headers).to.include({
        authorization: 'Bearer access-1',
        accept: 'text/event-stream',
        'content-type': 'application/json',
        host: `alice.spoq.localhost:${server.port}`,
      });
    }));

  it('lists what it would send, and sends nothing', () =>
    withBox(ANSWER, async ({ server, ask }) => {
      expect(await ask(['--dry-run', 'what is it?'], { stdin: 'log' })).to.deep.equal({
        code: 0,
        out: `Would be sent:
      3 B  stdin
      6 B  .spoqignore
     26 B  main.ts
Would stay here:
     19 B  .env                    withheld: environment file
     72 B  keys/id_rsa             withheld: private key
    273 B  home/.spoq/credentials  ignored by .spoqignore
2 files, stdin, 35 B, 2 withheld; about 9 of 60,000 tokens. Nothing was sent.
`.replace(
          / 273 B/,
          ` ${String(JSON.stringify(createCredentials({ vps_hostname: `http://alice.spoq.localhost:${server.port}` })).length).padStart(3)} B`,
        ),
        err: '',
      });
      expect(server.requests).to.deep.equal([]);
    }));

  it('opens the line while the files are read, without a word about who asks', async () => {
    const handlers: Record<string, Handler> = {
      'GET /health': (_, response) => sendJson(response, 200, {}),
      'POST /api/ask': answerWith('42'),
    };
    await withBox(handlers, async ({ server, ask }) => {
      expect((await ask(['why?'])).code).to.equal(0);
      expect(server.requests.map(({ path, headers }) => [path, headers.authorization !== undefined])).to.deep.equal([
        ['/health', false],
        ['/api/ask', true],
      ]);
    });
  });

  it('warns about what was named and stays here, and about secrets in the question', () =>
    withBox(ANSWER, async ({ server, ask }) => {
      const { err } = await ask(['what is', '@.env', `ghp_${'a1B2c3D4e5'.repeat(4)}?`]);
      expect(err).to.equal(
        "A part of your question looks like a GitHub token: it was withheld.\n.env was not sent: withheld: environment file. (--allow sends it as it is)\n2 files, 32 B, 3 withheld, to alice's box alice.spoq.localhost\n",
      );
      expect(server.requests[0]?.body)
        .to.contain('what is [withheld by spoq: looks like a GitHub token]?')
        .and.not.contain('hunter2');
    }));

  it('says which files a question names that are not there, and asks all the same', () =>
    withBox(ANSWER, async ({ ask }) => {
      const { code, out, err } = await ask(['does @lib/add.ts use @.env?']);
      expect([code, out]).to.deep.equal([0, 'It is **42**.\n']);
      expect(err.split('\n')[0]).to.equal('lib/add.ts was not sent: there is no such file.');
      const dry = await ask(['--dry-run', 'and @lib/add.ts?']);
      expect(dry.out).to.contain('\nlib/add.ts would not be sent: there is no such file.\n');
    }));

  it('prints JSON of a schema when it is whole, on one line, and nothing of what is not', async () => {
    const schema = '{"type":"object"}';
    await withBox(
      { 'POST /api/ask': answerWith('{ "a":', '\n "x\\u001b[2J\u202e" }') },
      async ({ server, home, ask }) => {
        await writeFile(join(home, 'schema.json'), schema);
        const path = join(home, 'schema.json');
        expect((await ask(['--schema', path, '?'], { tty: true })).out).to.equal('{"a":"x\\u001b[2J\\u202e"}\n');
        expect(JSON.parse(server.requests[0]?.body ?? '')).to.deep.include({ schema: { type: 'object' } });
        await writeFile(path, '[1]');
        for (const [file, words] of [
          [path, 'holds no JSON object.'],
          ['missing.json', 'missing.json cannot be read.'],
        ] as const) {
          const { code, err } = await ask(['--schema', file, '?']);
          expect([code, server.requests.length]).to.deep.equal([64, 1]);
          expect(err).to.contain(words).and.contain('Give --schema a file with a JSON schema of an object.');
        }
      },
    );
    const fails: Handler = (_, response) => {
      const send = beginStream(response);
      send(TEST_START);
      send({ type: 'text', text: '{"a":' });
      send({ type: 'error', code: 'answer_invalid', title: 'T', detail: 'It was cut.', next_step: 'N.' });
      response.end();
    };
    await withBox({ 'POST /api/ask': fails }, async ({ home, ask }) => {
      await writeFile(join(home, 'schema.json'), schema);
      const { code, out, err } = await ask(['--schema', join(home, 'schema.json'), '?']);
      expect([code, out]).to.deep.equal([1, '']);
      expect(err).to.contain('✗ The answer does not fit the schema.\n  It was cut.');
    });
  });

  it('says why no files go along where there is no repository', () =>
    withBox(ANSWER, async ({ ask }) => {
      await using folder = await createTemporaryFolder({ 'a.ts': 'a' });
      const words = 'No files go along: this folder is in no git repository. Name files or folders with @path.\n';
      expect((await ask(['?'], { cwd: folder.path })).err).to.contain(words);
      expect((await ask(['?', '--no-repo'], { cwd: folder.path })).err).to.not.contain(words);
      expect((await ask(['?', '@a.ts'], { cwd: folder.path })).err).to.not.contain(words);
    }));

  it('renders markdown on a terminal, and not with NO_COLOR, TERM=dumb or --no-color', () =>
    withBox(ANSWER, async ({ ask }) => {
      expect((await ask(['?'], { tty: true })).out).to.equal('It is \u001b[1m42\u001b[22m.\n');
      expect((await ask(['?'], { tty: true, env: { NO_COLOR: '1' } })).out).to.equal('It is **42**.\n');
      expect((await ask(['?'], { tty: true, env: { TERM: 'dumb' } })).out).to.equal('It is **42**.\n');
      expect((await ask(['?', '--no-color'], { tty: true })).out).to.equal('It is **42**.\n');
    }));

  it('lets no escape sequence of the model through', () =>
    withBox({ 'POST /api/ask': answerWith('a\u001b]52;c;', 'cm0=\u0007b\u001b[', '2Jc\u202e') }, async ({ ask }) => {
      expect((await ask(['?'])).out).to.equal('abc\n');
      expect((await ask(['?'], { tty: true })).out).to.equal('abc\n');
    }));

  it('speaks JSON lines', () =>
    withBox({ 'POST /api/ask': answerWith('hi') }, async ({ ask }) => {
      const { out, err } = await ask(['--json', '?']);
      expect(
        out
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
      ).to.deep.equal([
        TEST_START,
        { type: 'text', text: 'hi' },
        { type: 'done', stop_reason: 'stop', input_tokens: 1, output_tokens: 1 },
      ]);
      expect(JSON.parse(err)).to.deep.equal({
        type: 'context',
        files: 2,
        bytes: 32,
        tokens: 8,
        withheld: 2,
        left_out: 3,
      });
    }));

  it('refreshes once when the box does not accept the token', async () => {
    const box: Handler = (request, response) =>
      request.headers.authorization === 'Bearer access-2'
        ? answerWith('in')(request, response)
        : sendJson(response, 403, { type: 'x', title: 'T', status: 403, code: 'token_invalid', next_step: 'N' });
    const renew: Handler = (_, res) =>
      sendJson(res, 200, createTokens({ access_token: 'access-2', vps_hostname: home.url }));
    const home = { url: '' };
    await withBox({ 'POST /api/ask': box, 'POST /auth/refresh': renew }, async ({ server, home: folder, ask }) => {
      home.url = `http://alice.spoq.localhost:${server.port}`;
      expect((await ask(['?'])).out).to.equal('in\n');
      expect((await loadCredentials(join(folder, '.spoq', 'credentials')))?.access_token).to.equal('access-2');
      expect(server.requests.map((request) => request.path)).to.deep.equal(['/api/ask', '/auth/refresh', '/api/ask']);
    });
  });

  it('gives up when the box does not accept the new token either', async () => {
    const home = { url: '' };
    const refuse: Handler = (_, res) =>
      sendJson(res, 403, {
        type: 'x',
        title: 'T',
        status: 403,
        code: 'token_invalid',
        detail: 'Signed by nobody.',
        next_step: 'Run `spoq init` to sign in again.',
      });
    const renew: Handler = (_, res) =>
      sendJson(res, 200, createTokens({ access_token: 'access-2', vps_hostname: home.url }));
    await withBox({ 'POST /api/ask': refuse, 'POST /auth/refresh': renew }, async ({ server, ask }) => {
      home.url = `http://alice.spoq.localhost:${server.port}`;
      const { code, err } = await ask(['?'], { now: Date.now });
      expect([code, server.requests.length]).to.deep.equal([4, 3]);
      expect(err).to.contain(
        '✗ The token was not accepted.\n  Signed by nobody.\n  Run `spoq init` to sign in again.\n',
      );
    });
  });

  it('says whose clock is off when the box does not accept a fresh token', async () => {
    const home = { url: '' };
    const refuse: Handler = (_, res) =>
      sendJson(
        res,
        403,
        { type: 'x', title: 'T', status: 403, code: 'token_invalid', detail: 'The token has expired.', next_step: 'N' },
        { date: new Date(Date.parse('2026-01-02T05:04:05Z')).toUTCString() },
      );
    const renew: Handler = (_, res) =>
      sendJson(res, 200, createTokens({ access_token: 'access-2', vps_hostname: home.url }));
    await withBox({ 'POST /api/ask': refuse, 'POST /auth/refresh': renew }, async ({ server, ask }) => {
      home.url = `http://alice.spoq.localhost:${server.port}`;
      expect((await ask(['?'])).err).to.contain(
        "✗ The token was not accepted.\n  The token has expired.\n  The clock of alice.spoq.localhost is 2 h 0 min ahead of this computer's.\n" +
          '  Correct the clock that is wrong (on the box: `timedatectl` shows it), then try again.\n',
      );
    });
  });

  const BUSY = { type: 'x', title: 'T', status: 503, code: 'box_restarting', next_step: 'N' };
  const ABSENCES: [string, Handler, string][] = [
    [
      'restarts',
      (_, res) => sendJson(res, 503, BUSY, { 'retry-after': '5' }),
      'The box is restarting; trying again for up to 45 s.',
    ],
    [
      'has no conductor behind its front door',
      (_, res) => void res.writeHead(502).end(),
      'alice.spoq.localhost answered 502, and not as Spoq does. The box may be restarting; trying again for up to 10 s.',
    ],
  ];
  for (const [name, absent, words] of ABSENCES) {
    it(`waits while the box ${name}, and says so once`, async () => {
      let tries = 0;
      const handler: Handler = (request, response) =>
        ++tries < 4 ? absent(request, response) : answerWith('back')(request, response);
      await withBox({ 'POST /api/ask': handler }, async ({ ask }) => {
        expect(await ask(['?'])).to.deep.equal({
          code: 0,
          out: 'back\n',
          err: `2 files, 32 B, 2 withheld, to alice's box alice.spoq.localhost\n${words}\n`,
        });
        tries = 0;
        const { err } = await ask(['--json', '?']);
        expect(JSON.parse(err.split('\n')[1] ?? '')).to.deep.equal({ type: 'waiting', message: words });
      });
    });
  }

  it('asks only once where the box says why it cannot answer, or has begun to', async () => {
    const wrong = { type: 'x', title: 'T', status: 503, code: 'model_not_configured', next_step: 'N' };
    const handlers: Handler[] = [
      (_, res) => sendJson(res, 503, wrong),
      (_, res) => {
        beginStream(res)({
          type: 'error',
          code: 'box_restarting',
          title: 'The box is restarting',
          next_step: 'Ask again.',
        });
        res.end();
      },
    ];
    for (const handler of handlers) {
      await withBox({ 'POST /api/ask': handler }, async ({ server, ask }) => {
        expect((await ask(['?'])).code).to.be.oneOf([1, 69]);
        expect(server.requests).to.have.length(1);
      });
    }
  });

  it('says when the answer was cut at the most tokens', () =>
    withBox(
      {
        'POST /api/ask': (_, response) => {
          const send = beginStream(response);
          send({ type: 'text', text: 'long' });
          send({ type: 'done', stop_reason: 'length', input_tokens: 1, output_tokens: 9 });
          response.end();
        },
      },
      async ({ ask }) => {
        const { code, out, err } = await ask(['?']);
        expect([code, out]).to.deep.equal([0, 'long\n']);
        expect(err).to.contain('The answer was cut: it reached the most tokens that one answer may have.');
      },
    ));

  it('keeps what arrived of an answer whose line is lost for good, and exits 69', () =>
    withBox(
      {
        'POST /api/ask': (_, response) => {
          beginStream(response)(TEST_START);
          response.write('id: 2\ndata: {"type":"text","text":"half an ans"}\n\n', () => response.destroy());
        },
        [`GET /api/conversations/${TEST_START.conversation}/events?turn=1`]: (_, response) => response.destroy(),
      },
      async ({ ask }) => {
        const { code, out, err } = await ask(['?']);
        expect([code, out]).to.deep.equal([69, 'half an ans\n']);
        expect(err).to.contain('alice.spoq.localhost closed the connection. It goes on by itself; trying to read on…');
        expect(err).to.contain('The answer is incomplete').and.contain('`spoq resume 4dd3c3a4`');
      },
    ));

  const ERROR_EVENTS: [string, Record<string, unknown>, number, string][] = [
    [
      'model_overloaded',
      { detail: 'Try a smaller question.' },
      69,
      '✗ The model is overloaded.\n  Try a smaller question.\n  Do this.\n',
    ],
    [
      'model_rate_limited',
      { retry_after_seconds: 30 },
      69,
      '✗ The model provider limits the rate.\n  Wait 30 s.\n  Do this.\n',
    ],
    ['box_restarting', { retry_after_seconds: 5 }, 69, '✗ The box is restarting.\n  Wait 5 s.\n  Do this.\n'],
    ['model_not_configured', {}, 1, '✗ No model is configured on the box.\n  Do this.\n'],
    ['from_the_future', {}, 69, '✗ The model provider failed.\n  New title\n  Do this.\n'],
  ];
  for (const [code, more, exit, words] of ERROR_EVENTS) {
    it(`explains the error event ${code} and exits ${exit}`, () =>
      withBox(
        {
          'POST /api/ask': (_, response) => {
            const event = { type: 'error', code, title: 'New title', next_step: 'Do this.', ...more };
            response.writeHead(200).end(`data: ${JSON.stringify(event)}\n\n`);
          },
        },
        async ({ ask }) => {
          const result = await ask(['?']);
          expect([result.code, result.out, result.err]).to.deep.equal([
            exit,
            '',
            `2 files, 32 B, 2 withheld, to alice's box alice.spoq.localhost\n${words}`,
          ]);
        },
      ));
  }

  it('says when the box cannot be reached', () =>
    withBox({}, async ({ home, ask }) => {
      await writeCredentials(
        join(home, '.spoq', 'credentials'),
        createCredentials({ vps_hostname: 'http://alice.spoq.localhost:1' }),
      );
      const { code, err } = await ask(['?']);
      expect([code, err.split('\n').slice(1, 4)]).to.deep.equal([
        69,
        [
          'alice.spoq.localhost:1 refused the connection. The box may be restarting; trying again for up to 10 s.',
          '✗ The box cannot be reached.',
          '  alice.spoq.localhost:1 refused the connection.',
        ],
      ]);
    }));

  it('never sends a token in clear', () =>
    withBox({}, async ({ home, ask }) => {
      await writeCredentials(
        join(home, '.spoq', 'credentials'),
        createCredentials({ vps_hostname: 'http://alice.spoq.dev' }),
      );
      const { code, err } = await ask(['?']);
      expect(code).to.equal(64);
      expect(err)
        .to.contain('spoq sends tokens and files over https only')
        .and.contain('Use https://alice.spoq.dev instead.');
    }));
});
