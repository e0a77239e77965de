import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { toProblem } from '../../contract/problem.ts';
import type { ConversationSummary } from '../../contract/conversation.ts';
import { runCli } from '../program.ts';
import { TEST_START, answerWith, beginStream, sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps } from '../testing/create-test-deps.ts';
import { createCredentials, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

interface Scene {
  deps: TestDeps;
  server: FakeServer;
  /** Settles when this was written after what was awaited before. */
  see(text: string): Promise<void>;
  type(text: string): void;
  enter(text: string): void;
  ended: Promise<number>;
}

const ID = TEST_START.conversation;
const KEPT: ConversationSummary = {
  id: ID,
  title: 'Why?',
  folder: 'project',
  state: 'idle',
  last_kind: 'ask',
  workspace: null,
  changed_files: null,
  turns: 1,
  last_event: 3,
  created_at: TEST_START.at,
  updated_at: TEST_START.at,
  input_tokens: 1,
  output_tokens: 1,
  cost_usd: 0,
};

/** A conversation in a terminal of 80 columns that shows no colours, until `check` has left it. */
async function withChat(
  handlers: Record<string, Handler>,
  check: (scene: Scene) => Promise<void>,
  args: string[] = [],
): Promise<void> {
  await using folder = await createTemporaryFolder({ 'project/main.ts': 'export {};\n' });
  await using server = await startFakeServer(handlers);
  const home = `${folder.path}/home`;
  const deps = createTestDeps({
    tty: true,
    env: { SPOQ_HOME: home, NO_COLOR: '1' },
    cwd: `${folder.path}/project`,
    homeFolder: folder.path,
  });
  await writeCredentials(
    `${home}/credentials`,
    createCredentials({ vps_hostname: `http://alice.spoq.localhost:${server.port}` }),
  );
  const looks = new Set<() => void>();
  const all = { text: '', seen: 0 };
  for (const output of [deps.stdout, deps.stderr]) {
    const write = output.write;
    output.write = (text) => {
      all.text += text;
      for (const look of looks) look();
      return write(text);
    };
  }
  const ended = runCli(deps, args);
  const type = (text: string): void => {
    for (const char of text) deps.press({ text: char });
  };
  await check({
    deps,
    server,
    ended,
    type,
    enter(text) {
      type(text);
      deps.press({ name: 'return' });
    },
    see: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const at = all.text.indexOf(text, all.seen);
          if (at === -1) return;
          all.seen = at + text.length;
          looks.delete(look);
          // Whoever writes it goes on first: the next key comes later.
          setImmediate(resolve);
        };
        looks.add(look);
        look();
        const fail = (): void => reject(new Error(`waited in vain for ${text}: ${all.text.slice(all.seen)}`));
        AbortSignal.timeout(5000).addEventListener('abort', fail);
        void ended.then(() => reject(new Error(`ended without ${text}: ${all.text}`)));
      }),
  });
}

function bodies({ requests }: FakeServer): Record<string, unknown>[] {
  return requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body || '{}'));
}

const ctrl = (name: string): { name: string; ctrl: true } => ({ name, ctrl: true });

/** An answer that ends only with its reader, or when it is interrupted. */
const endless: Handler = (_, response) => {
  const send = beginStream(response);
  send(TEST_START);
  send({ type: 'text', text: 'begun' });
};

describe('a conversation in the terminal', () => {
  it('asks as spoq ask does, and goes on with the same conversation', () =>
    withChat({ 'POST /api/ask': answerWith('Because.') }, async ({ see, enter, deps, server, ended }) => {
      await see('/help shows what there is');
      enter('Why?');
      await see('> Why?');
      await see('Because.');
      await see('> ');
      enter('And @main.ts?');
      await see('Because.');
      await see('> ');
      deps.press(ctrl('d'));
      expect(await ended).to.equal(0);
      const [first, second] = bodies(server);
      expect([first?.['question'], first?.['conversation']]).to.deep.equal(['Why?', undefined]);
      expect([second?.['conversation'], second?.['files']]).to.deep.equal([
        ID,
        [{ path: 'main.ts', content: 'export {};\n' }],
      ]);
      expect(deps.err().endsWith(`Go on with: spoq resume ${ID.slice(0, 8)}\n`)).to.equal(true);
      expect(server.requests.filter(({ method }) => method === 'GET')).to.deep.equal([]);
    }));

  it('takes several lines: typed, and pasted', () =>
    withChat({ 'POST /api/ask': answerWith('Yes.') }, async ({ see, type, enter, deps, server, ended }) => {
      await see('> ');
      enter('one\\');
      type('two');
      deps.press({ name: 'enter', text: '\n' });
      type('three');
      deps.press({ name: 'return', meta: true });
      deps.press({ name: 'paste-start' });
      for (const char of 'four\rfive') deps.press(char === '\r' ? { name: 'return', text: '\r' } : { text: char });
      deps.press({ name: 'paste-end' });
      deps.press({ name: 'return' });
      await see('Yes.');
      await see('> ');
      deps.press({ name: 'up' });
      deps.press(ctrl('c'));
      await see('> ');
      deps.press(ctrl('d'));
      expect(await ended).to.equal(0);
      expect(bodies(server)[0]?.['question']).to.equal('one\ntwo\nthree\nfour\nfive');
    }));

  for (const key of [{ name: 'escape', meta: true }, ctrl('c')]) {
    it(`stops an answer with ${key.name}, on the box too, and keeps what was typed meanwhile`, () =>
      withChat(
        {
          'POST /api/ask': endless,
          [`POST /api/conversations/${ID}/interrupt`]: (_, response) => sendJson(response, 200, { interrupted: true }),
        },
        async ({ see, enter, type, deps, server, ended }) => {
          await see('> ');
          enter('Why?');
          await see('begun');
          type('next');
          deps.press({ name: 'return' });
          deps.press(key);
          await see('Interrupted.\n');
          await see('> next');
          deps.press(ctrl('c'));
          await see('> ');
          deps.press(ctrl('d'));
          expect(await ended).to.equal(0);
          expect(server.requests.map(({ path }) => path)).to.deep.equal([
            '/api/ask',
            `/api/conversations/${ID}/interrupt`,
          ]);
        },
      ));
  }

  it('reads on where the line is lost, and says so', () =>
    withChat(
      {
        'POST /api/ask': (_, response) => {
          const send = beginStream(response);
          send(TEST_START);
          send({ type: 'text', text: 'one ' });
          setImmediate(() => response.destroy());
        },
        [`GET /api/conversations/${ID}/events?turn=1`]: (_, response) => {
          const send = beginStream(response);
          send({ type: 'text', text: 'two' });
          send({ type: 'done', stop_reason: 'stop', input_tokens: 1, output_tokens: 1 });
          response.end();
        },
      },
      async ({ see, enter, deps, ended }) => {
        await see('> ');
        enter('Why?');
        await see('It goes on by itself; trying to read on…');
        await see('two');
        await see('> ');
        deps.press(ctrl('d'));
        expect(await ended).to.equal(0);
        expect(deps.out()).to.equal('one two\n');
      },
    ));

  it('gives a question back that the box has not taken, and goes on', () =>
    withChat(
      {
        'POST /api/ask': (_, response) =>
          sendJson(response, 409, toProblem(new SpoqError('conversation_busy')), {
            'content-type': 'application/problem+json',
          }),
      },
      async ({ see, enter, deps, ended }) => {
        await see('> ');
        enter('Why?');
        await see('The conversation is at work.');
        await see('> Why?');
        deps.press(ctrl('u'));
        deps.press(ctrl('d'));
        expect(await ended).to.equal(0);
      },
    ));

  it('leaves on the second Ctrl-C of an empty prompt', () =>
    withChat({}, async ({ see, type, deps, ended }) => {
      await see('> ');
      deps.press(ctrl('c'));
      await see('Ctrl-C once more leaves, and so does Ctrl-D.\n');
      type('x');
      deps.press({ name: 'backspace' });
      deps.press(ctrl('c'));
      await see('Ctrl-C once more leaves');
      deps.press(ctrl('c'));
      expect(await ended).to.equal(0);
    }));

  it('ends when the terminal does, and when it is stopped', async () => {
    await withChat({}, async ({ see, deps, ended }) => {
      await see('> ');
      deps.press({ name: 'closed' });
      expect(await ended).to.equal(0);
    });
    await withChat({}, async ({ see, deps, ended }) => {
      await see('> ');
      deps.stop.abort(new SpoqError('cancelled'));
      expect(await ended).to.equal(130);
    });
  });

  it('knows its commands, and names the nearest of one that is none', () =>
    withChat(
      {
        'POST /api/ask': answerWith('Yes.'),
        'GET /api/conversations?limit=10': (_, response) =>
          sendJson(response, 200, { conversations: [KEPT], more: false }),
        'GET /api/conversations?limit=200': (_, response) =>
          sendJson(response, 200, { conversations: [KEPT], more: false }),
        [`GET /api/conversations/${ID}/events?turn=1`]: answerWith('Because.'),
        'GET /api/status': (_, response) => sendJson(response, 503, {}),
      },
      async ({ see, enter, deps, server, ended }) => {
        const steps: [string, string][] = [
          ['/help', '/resume [id]'],
          ['/sessions', `${ID.slice(0, 8)}  Why?`],
          [`/resume ${ID.slice(0, 4)}`, 'Because.'],
          ['go on', 'Yes.'],
          ['/new', 'What you ask next begins another conversation.'],
          ['/model', "The box's own model answers."],
          ['/model claude-x', 'claude-x is asked from now on.'],
          ['another', 'Yes.'],
          ['/model default', "The box's own model answers."],
          ['/files @main.ts', 'Would be sent:\n     11 B  main.ts'],
          ['/stauts', 'There is no command /stauts.\n  Did you mean /status? See /help.'],
          ['/xyzzy', 'There is no command /xyzzy.\n  See /help.'],
          ['/status', 'https://spoq.dev'],
          ['/etc/hosts is what?', 'Yes.'],
        ];
        for (const [typed, seen] of steps) {
          await see('> ');
          enter(typed);
          await see(`> ${typed}`);
          if (typed !== '/status') await see(seen);
        }
        await see('> ');
        enter('/quit');
        expect(await ended).to.equal(0);
        expect(
          bodies(server).map(({ question, conversation, model }) => [question, conversation, model]),
        ).to.deep.equal([
          ['go on', ID, undefined],
          ['another', undefined, 'claude-x'],
          ['/etc/hosts is what?', ID, undefined],
        ]);
        expect(deps.signal.aborted).to.equal(false);
      },
    ));

  it('opens the last one of this folder again with -c, and what resume has read', async () => {
    const handlers: Record<string, Handler> = {
      'POST /api/ask': answerWith('Yes.'),
      'GET /api/conversations?limit=200': (_, response) =>
        sendJson(response, 200, { conversations: [KEPT], more: false }),
      [`GET /api/conversations/${ID}/events?turn=1`]: answerWith('Because.'),
    };
    for (const args of [['-c'], ['chat', '--continue'], ['resume', ID.slice(0, 8)]]) {
      await withChat(
        new Proxy(handlers, {
          get: (all, path: string) =>
            all[path.includes('folder=') ? 'GET /api/conversations?limit=200' : path] as Handler | undefined,
        }),
        async ({ see, enter, deps, server, ended }) => {
          await see(`Going on with ${ID.slice(0, 8)}: Why?`);
          await see('> ');
          enter('And?');
          await see('Yes.');
          await see('> ');
          deps.press(ctrl('d'));
          expect(await ended).to.equal(0);
          expect(bodies(server)[0]?.['conversation']).to.equal(ID);
        },
        args,
      );
    }
  });

  it('needs a terminal, and a person', async () => {
    const refused = createTestDeps();
    expect(await runCli(refused, ['-c'])).to.equal(64);
    expect(refused.err()).to.equal(
      '✗ The request is not valid.\n  A conversation is for a person at a terminal, who types and reads.\n  Ask single questions: spoq ask "…", then spoq ask -c "…"\n',
    );
    const json = createTestDeps({ tty: true });
    expect(await runCli(json, ['chat', '--json'])).to.equal(64);
    const help = createTestDeps();
    expect([await runCli(help, []), help.out().startsWith('Examples:')]).to.deep.equal([0, true]);
    const stranger = createTestDeps({ tty: true });
    expect(await runCli(stranger, [])).to.equal(4);
  });
});
