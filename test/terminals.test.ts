import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { runSpoq } from '../cli/testing/run-spoq.ts';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';
import type { TemporaryFolder } from '../cli/testing/temporary-folder.ts';
import { measureWidth } from '../cli/terminal/width.ts';
import { beginAnthropic, endAnthropic, sayAnthropic, speakAnthropic } from '../conductor/testing/model-server.ts';
import { COMPILE_FLAGS } from '../tools/build-release.ts';
import { startTerminalWorld } from './harness/terminal-world.ts';
import type { TerminalWorld } from './harness/terminal-world.ts';
import { missingForTmux, startTmux } from './harness/tmux.ts';
import type { Tmux, Window } from './harness/tmux.ts';
import { waitFor } from './harness/wait.ts';

const ROOT = path.dirname(import.meta.dirname);
const ANSWER =
  '# Answer\n\nIt is **42**, as `main.ts` says, which is the answer to everything that anybody asks.\n\n| what | value |\n|---|---|\n| answer | 42 |\n';

/** One line a command. Whoever adds a command adds its line here. */
interface Row {
  args: string[];
  /** What is on the screen in the end, wherever it is broken. */
  shows: string;
  /** The exit code, 0 unless told. */
  code?: number;
  /** What a person does, from the beginning to the end. */
  drive?: (window: Window) => Promise<void>;
  /** Without a terminal, where it isn't the same. */
  piped?: { code: number; shows: string };
  /** Its lines are as long as they are. */
  isData?: boolean;
}

const PLAIN_INIT = { code: 0, shows: 'Nothing was changed.' };
const NO_TERMINAL = { code: 64, shows: 'A conversation is for a person at a terminal' };

const ROWS: Record<string, Row> = {
  'init, no': {
    args: ['init'],
    shows: 'Nothing was changed. (spoq init --force signs in again)',
    piped: PLAIN_INIT,
    async drive({ see, press }) {
      await see('Sign in again?');
      await press('n', 'Enter');
    },
  },
  'init, Ctrl-C': {
    args: ['init'],
    shows: 'Stopped.',
    code: 130,
    piped: PLAIN_INIT,
    async drive({ see, press }) {
      await see('Sign in again?');
      await press('C-c');
    },
  },
  'init, Ctrl-D': {
    args: ['init'],
    shows: 'Stopped.',
    code: 130,
    piped: PLAIN_INIT,
    async drive({ see, press }) {
      await see('Sign in again?');
      await press('C-d');
    },
  },
  'init --force, Ctrl-C': {
    args: ['init', '--force', '--no-browser'],
    shows: 'Approve only if the page shows this code: amber-otter-lamp',
    code: 130,
    async drive({ see, press }) {
      await see('amber-otter-lamp');
      await press('C-c');
    },
  },
  ask: { args: ['ask', 'what is the answer?'], shows: "1 file, 26 B, 1 withheld, to alice's box" },
  'ask --dry-run': { args: ['ask', '--dry-run', 'what?'], shows: 'Nothing was sent.' },
  sessions: { args: ['sessions'], shows: 'what is the answer?' },
  resume: {
    args: ['resume'],
    shows: '> what is the answer?',
    async drive({ see, press }) {
      await see('Going on with');
      await see('Ctrl-D leaves.');
      await press('C-d');
    },
  },
  attach: { args: ['attach'], shows: 'Nothing is at work on the box.', code: 1 },
  status: { args: ['status'], shows: 'alice.spoq.localhost' },
  models: { args: ['models'], shows: 'claude' },
  budget: { args: ['budget'], shows: 'This month' },
  'keys list': { args: ['keys', 'list'], shows: 'anthropic' },
  'keys set, Ctrl-C': {
    args: ['keys', 'set', 'anthropic'],
    shows: 'Stopped.',
    code: 130,
    async drive({ see, press }) {
      await see('Key of anthropic');
      await press('C-c');
    },
  },
  'keys set, Ctrl-D': {
    args: ['keys', 'set', 'anthropic'],
    shows: 'Stopped.',
    code: 130,
    async drive({ see, press }) {
      await see('Key of anthropic');
      await press('C-d');
    },
  },
  completion: { args: ['completion', 'bash'], shows: 'complete', isData: true },
  help: { args: ['help'], shows: 'Exit codes:' },
  'chat, Ctrl-D': {
    args: [],
    shows: 'A conversation with',
    piped: { code: 0, shows: 'Exit codes:' },
    async drive({ see, press }) {
      await see('Ctrl-D leaves.');
      await press('C-d');
    },
  },
  'chat, Ctrl-C': {
    args: ['chat'],
    shows: 'Ctrl-C once more leaves, and so does Ctrl-D.',
    piped: NO_TERMINAL,
    async drive({ see, press }) {
      await see('Ctrl-D leaves.');
      await press('C-c');
      await see('once more leaves');
      await press('C-c');
    },
  },
  'chat -c': {
    args: ['-c'],
    shows: 'Going on with',
    piped: NO_TERMINAL,
    async drive({ see, press }) {
      await see('Ctrl-D leaves.');
      await press('C-d');
    },
  },
  'chat, a question': {
    args: [],
    shows: '> and 日本?',
    piped: { code: 0, shows: 'Exit codes:' },
    async drive({ see, type, press }) {
      await see('Ctrl-D leaves.');
      await type('and 日本?');
      await press('Enter');
      await see('everything that anybody asks');
      await press('C-d');
    },
  },
};

/** What the environment says of the terminal, and what must not be sent to it then. */
const MODES = {
  colours: { env: { TERM: 'xterm-256color' }, never: undefined },
  // oxlint-disable-next-line no-control-regex -- colours and styles
  NO_COLOR: { env: { TERM: 'xterm-256color', NO_COLOR: '1' }, never: /\u001b\[[\d;]*m/ },
  // oxlint-disable-next-line no-control-regex -- whatever isn't text
  dumb: { env: { TERM: 'dumb' }, never: /\u001b/ },
} as const;

describe('spoq in terminals', function () {
  this.timeout(60_000);
  let tmux: Tmux;
  let world: TerminalWorld;
  let build: TemporaryFolder;
  const program = (): string => path.join(build.path, 'spoq');

  before(async function () {
    const missing = missingForTmux();
    if (missing !== undefined) {
      process.stderr.write(`No terminals to try: ${missing}.\n`);
      this.skip();
    }
    build = await createTemporaryFolder();
    const compile = [...COMPILE_FLAGS, '--outfile', program(), path.join(ROOT, 'cli', 'main.ts')];
    await promisify(execFile)(path.join(ROOT, 'node_modules', '.bin', 'bun'), compile, { cwd: build.path });
    [world, tmux] = await Promise.all([startTerminalWorld(), startTmux()]);
    world.model.speak = (response) => sayAnthropic(response, ANSWER.split(/(?<= )/));
    await runSpoq(['ask', 'what is the answer?'], { cwd: world.cwd, env: world.env, program: [program()] });
  });

  after(async () => {
    await tmux?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    await build?.[Symbol.asyncDispose]();
  });

  const open = (args: string[], columns: number, env: Record<string, string>): Promise<Window> =>
    tmux.open({ columns, command: [program(), ...args], cwd: world.cwd, env: { ...world.env, ...env } });

  for (const [name, row] of Object.entries(ROWS)) {
    it(`${name}: 80 and 40 columns, NO_COLOR, TERM=dumb, piped`, async () => {
      await Promise.all(
        [80, 40].flatMap((columns) =>
          Object.entries(MODES).map(async ([mode, { env, never }]) => {
            const window = await open(row.args, columns, env);
            await row.drive?.(window);
            expect(await window.ended(), `${mode}, ${columns}: ${await window.sent()}`).to.equal(row.code ?? 0);
            await window.show(row.shows);
            if (never !== undefined) expect(await window.sent(), `${mode}, ${columns}`).to.not.match(never);
            const tooWide = findTooWide(await window.lines(), columns);
            // Without styles an answer is its text as it came, and the terminal breaks it.
            const unexplained = tooWide.filter((line) => never === undefined || !ANSWER.includes(line.trim()));
            if (row.isData !== true) expect(unexplained, mode).to.deep.equal([]);
          }),
        ),
      );
      const { code, shows } = { code: row.code ?? 0, shows: row.shows, ...row.piped };
      if (row.drive !== undefined && row.piped === undefined) return; // it waits for a person
      for (const stdin of [undefined, ''] as const) {
        const options = { cwd: world.cwd, env: { ...world.env, TERM: 'xterm-256color' }, program: [program()] };
        const piped = await runSpoq(row.args, stdin === undefined ? options : { ...options, stdin });
        expect([piped.code, piped.out + piped.err]).to.deep.equal([code, piped.out + piped.err]);
        expect(piped.out + piped.err).to.contain(shows);
        // oxlint-disable-next-line no-control-regex -- whatever isn't text
        expect(piped.out + piped.err).to.not.match(/\u001b|\r/);
      }
    });
  }

  describe('a conversation', () => {
    /** An answer that goes on until its reader goes. */
    function speakEndlessly(): void {
      world.model.speak = (response) => {
        beginAnthropic(response);
        const timer = setInterval(() => speakAnthropic(response, 'word '), 20);
        response.once('close', () => clearInterval(timer));
      };
    }
    const speakBriefly = (): void => {
      world.model.speak = (response) => sayAnthropic(response, ['Brief', '.']);
    };
    const start = async (args: string[] = []): Promise<Window> => {
      const window = await open(args, 40, { TERM: 'xterm-256color' });
      if (args.length === 0) await window.see('Ctrl-D leaves.');
      return window;
    };
    const leave = async (window: Window): Promise<void> => {
      await window.press('C-d');
      expect(await window.ended()).to.equal(0);
    };

    afterEach(speakBriefly);

    it('wraps what is typed, keeps its place in wide characters, and follows the window', async () => {
      speakBriefly();
      const window = await start();
      await window.type('日本語 and a line that is longer than this window has columns');
      await window.press('Home', 'Right');
      await window.type('x');
      await window.show('> 日x本語 and a line that is longer than');
      expect(
        (await window.lines()).filter((line) => line.includes('longer') || line.includes('columns')),
      ).to.deep.equal(['> 日x本語 and a line that is longer tha', '  n this window has columns']);
      expect(await window.cursor()).to.equal(5);
      await window.resize(24);
      await window.type('y');
      await window.show('> 日xy本語 and a line tha');
      await window.resize(80);
      await window.type('z');
      await window.show('> 日xyz本語 and a line that is longer than this window has columns');
      await window.press('C-e', 'C-u');
      await window.paste('one\ntwo 👨‍👩‍👧');
      await window.show('> one two');
      await window.press('Up', 'End');
      await window.type('!');
      await window.press('Enter');
      await window.see('Brief.');
      expect(JSON.stringify(world.model.calls.at(-1)?.body)).to.contain(String.raw`one!\ntwo`);
      await leave(window);
    });

    it('is stopped by Escape, on the box as well, and goes on with what was typed meanwhile', async () => {
      speakEndlessly();
      const window = await start();
      await window.type('go');
      await window.press('Enter');
      await window.see('word word word');
      const call = world.model.calls.at(-1);
      await window.type('next');
      await window.press('Escape');
      await window.see('Interrupted.');
      await window.show('> next');
      await waitFor('the call to the model to end', () => call?.dropped === true);
      speakBriefly();
      await window.press('Enter');
      await window.see('Brief.');
      expect(JSON.stringify(world.model.calls.at(-1)?.body['messages'])).to.match(/go.*word.*next/);
      await leave(window);
    });

    it('remembers across conversations what was typed, and tells where to go on', async () => {
      speakBriefly();
      const first = await start();
      await first.type('what was it?');
      await first.press('Enter');
      await first.see('Brief.');
      await leave(first);
      await first.show('Go on with: spoq resume');
      const second = await start();
      await second.press('Up');
      await second.show('> what was it?');
      await second.press('C-c', 'C-c', 'C-c');
      expect(await second.ended()).to.equal(0);
    });

    it('reads on where the line is lost, and says so', async () => {
      let finish = (): void => undefined;
      world.model.speak = (response) => {
        beginAnthropic(response);
        speakAnthropic(response, 'before the tunnel, ');
        finish = () => {
          speakAnthropic(response, 'and after it');
          endAnthropic(response);
        };
      };
      const window = await start();
      await window.type('go');
      await window.press('Enter');
      await window.see('before the tunnel,');
      world.cutLines();
      await window.see('trying to read on…');
      finish();
      await window.see('and after it');
      await leave(window);
    });

    it('is left at work by Ctrl-C of who only reads along, and stopped by Ctrl-C of who asks', async () => {
      speakEndlessly();
      const asking = await start(['ask', 'for long?']);
      await asking.see('word word');
      for (const command of ['resume', 'attach']) {
        const reading = await start([command]);
        await reading.see('word word');
        await reading.press('C-c');
        expect(await reading.ended()).to.equal(130);
        await reading.show('It goes on without you: spoq attach');
      }
      const call = world.model.calls.at(-1);
      expect(call?.dropped).to.equal(false);
      await asking.press('C-c');
      expect(await asking.ended()).to.equal(130);
      await waitFor('the call to the model to end', () => call?.dropped === true);
      await asking.show('Stopped.');
    });

    it('has what a terminal that only prints can do', async () => {
      speakEndlessly();
      const window = await open([], 40, { TERM: 'dumb' });
      await window.see('Ctrl-D leaves.');
      await window.type('first\\');
      await window.press('Enter');
      await window.type('second');
      await window.press('Enter');
      await window.see('word word');
      await window.press('C-c');
      await window.see('Interrupted.');
      expect(JSON.stringify(world.model.calls.at(-1)?.body)).to.contain(String.raw`first\nsecond`);
      await window.press('C-c');
      await window.see('once more leaves');
      await window.press('C-c');
      expect(await window.ended()).to.equal(0);
      // oxlint-disable-next-line no-control-regex -- whatever isn't text
      expect(await window.sent()).to.not.match(/\u001b/);
    });
  });
});

/** Lines wider than the window. A word that has no room at all, like an address, may be. */
function findTooWide(lines: string[], columns: number): string[] {
  return lines.filter(
    (line) =>
      measureWidth(line) > columns &&
      !line
        .trim()
        .split(' ')
        .some((word) => measureWidth(word) >= columns - 4),
  );
}
