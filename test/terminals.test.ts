import { expect } from 'chai';
import { beginAnthropic, endAnthropic, sayAnthropic, speakAnthropic } from '../conductor/testing/model-server.ts';
import { testRows } from './harness/terminal-rows.ts';
import type { Row } from './harness/terminal-rows.ts';
import { useStage } from './harness/terminal-stage.ts';
import type { Window } from './harness/tmux.ts';
import { waitFor } from './harness/wait.ts';

const ANSWER =
  '# Answer\n\nIt is **42**, as `main.ts` says, which is the answer to everything that anybody asks.\n\n| what | value |\n|---|---|\n| answer | 42 |\n';

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
      await see('Ctrl-D leaves. >'); // before the prompt, Ctrl-C stops the program
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

describe('spoq in terminals', function () {
  this.timeout(60_000);
  const stage = useStage();

  before(async () => {
    stage.world.model.speak = (response) => sayAnthropic(response, ANSWER.split(/(?<= )/));
    await stage.run(['ask', 'what is the answer?']);
  });

  testRows(stage, ROWS, { asItCame: ANSWER });

  describe('a conversation', () => {
    /** An answer that goes on until its reader goes. */
    function speakEndlessly(): void {
      stage.world.model.speak = (response) => {
        beginAnthropic(response);
        const timer = setInterval(() => speakAnthropic(response, 'word '), 20);
        response.once('close', () => clearInterval(timer));
      };
    }
    const speakBriefly = (): void => {
      stage.world.model.speak = (response) => sayAnthropic(response, ['Brief', '.']);
    };
    const start = async (args: string[] = []): Promise<Window> => {
      const window = await stage.open(args, 40, { TERM: 'xterm-256color' });
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
      expect(JSON.stringify(stage.world.model.calls.at(-1)?.body)).to.contain(String.raw`one!\ntwo`);
      await leave(window);
    });

    it('is stopped by Escape, on the box as well, and goes on with what was typed meanwhile', async () => {
      speakEndlessly();
      const window = await start();
      await window.type('go');
      await window.press('Enter');
      await window.see('word word word');
      const call = stage.world.model.calls.at(-1);
      await window.type('next');
      await window.press('Escape');
      await window.see('Interrupted.');
      await window.show('> next');
      await waitFor('the call to the model to end', () => call?.dropped === true);
      speakBriefly();
      await window.press('Enter');
      await window.see('Brief.');
      expect(JSON.stringify(stage.world.model.calls.at(-1)?.body['messages'])).to.match(/go.*word.*next/);
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
      stage.world.model.speak = (response) => {
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
      stage.world.cutLines();
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
      const call = stage.world.model.calls.at(-1);
      expect(call?.dropped).to.equal(false);
      await asking.press('C-c');
      expect(await asking.ended()).to.equal(130);
      await waitFor('the call to the model to end', () => call?.dropped === true);
      await asking.show('Stopped.');
    });

    it('has what a terminal that only prints can do', async () => {
      speakEndlessly();
      const window = await stage.open([], 40, { TERM: 'dumb' });
      await window.see('Ctrl-D leaves.');
      await window.type('first\\');
      await window.press('Enter');
      await window.type('second');
      await window.press('Enter');
      await window.see('word word');
      await window.press('C-c');
      await window.see('Interrupted.');
      expect(JSON.stringify(stage.world.model.calls.at(-1)?.body)).to.contain(String.raw`first\nsecond`);
      await window.press('C-c');
      await window.see('once more leaves');
      await window.press('C-c');
      expect(await window.ended()).to.equal(0);
      // oxlint-disable-next-line no-control-regex -- whatever isn't text
      expect(await window.sent()).to.not.match(/\u001b/);
    });
  });
});
