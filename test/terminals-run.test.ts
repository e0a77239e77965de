import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { compileConductor } from '../conductor/testing/compiled.ts';
import { playScript } from '../conductor/testing/scripted-model.ts';
import type { ModelStep } from '../conductor/testing/scripted-model.ts';
import { testRows } from './harness/terminal-rows.ts';
import type { Row } from './harness/terminal-rows.ts';
import { useStage } from './harness/terminal-stage.ts';
import type { Stage } from './harness/terminal-stage.ts';
import type { Laptop } from './harness/terminal-world.ts';
import type { Window } from './harness/tmux.ts';
import { waitFor } from './harness/wait.ts';

const FILES = { 'main.ts': 'export const answer = 41;\n' };
const EDIT: ModelStep = {
  calls: [
    { name: 'edit_file', input: { path: 'main.ts', edits: [{ old: '41', new: '42' }] } },
    { name: 'write_file', input: { path: 'why.md', text: 'It was one less.\n' } },
  ],
};
const shell = (command: string): ModelStep => ({ calls: [{ name: 'shell', input: { command } }] });
/** Where nothing else is said, the model mends the answer. */
const MEND = [
  EDIT,
  shell('seq 20; echo a line that is longer than a narrow window has columns'),
  { text: 'It is 42 now.' },
];
const COMMAND = 'git tag v1; echo and a command that has no room on one line of forty';
const TAG = [shell(COMMAND), { text: 'So be it.' }];

/** The same laptop for all who ask, made when the first one does. */
function share(open: (stage: Stage) => Promise<Laptop>): (stage: Stage) => Promise<Laptop> {
  let shared: Promise<Laptop> | undefined;
  return (stage) => (shared ??= open(stage));
}

const openNew = ({ world }: Stage): Promise<Laptop> => world.openLaptop(FILES);
const openAny = share(openNew);

/** A laptop whose run has changed two files on the box. */
async function openMended(stage: Stage): Promise<Laptop> {
  const laptop = await openNew(stage);
  const { code, out, err } = await stage.run(['run', 'mend it'], laptop);
  expect(code, out + err).to.equal(0);
  return laptop;
}
const openKept = share(openMended);

/** The same, changed here as well; what could be taken over is. */
const openTornApart = share(async (stage) => {
  const laptop = await openMended(stage);
  await writeFile(path.join(laptop.cwd, 'main.ts'), 'export const answer = 43;\n');
  const { out } = await stage.run(['apply'], laptop);
  expect(out).to.equal('main.ts  not taken\nwhy.md  taken\n');
  return laptop;
});

const press =
  (question: string, ...keys: string[]): NonNullable<Row['drive']> =>
  async (window: Window) => {
    await window.see(question);
    await window.press(...keys);
  };

const COLOURS = { TERM: 'xterm-256color' };
const CHANGED = 'Look: spoq diff. Take: spoq apply. Drop: spoq discard.';
const KEPT =
  'What it has done is kept on the box. Look: spoq diff. Go on: spoq run -c "…". Drop: spoq discard. Stopped.';
const DROP = 'Drop 2 changed files of "mend it"? (y/N)';
const PLAIN_DROP = { code: 64, shows: 'Add --yes if you mean it.' };
const ALLOW = '1 to 3:';
const QUESTION = `Allow this? $ ${COMMAND} 1 yes, this once 2 yes, always in this workspace: shell(git tag v1) 3 no ${ALLOW}`;
const DONE = `● $ ${COMMAND} │ and a command that has no room on one line of forty └ done So be it.`;

interface RunRow extends Row {
  script?: ModelStep[];
}

const ROWS: Record<string, RunRow> = {
  run: { args: ['run', 'mend it'], prepare: openAny, shows: `2 files changed, +2 -1. ${CHANGED}` },
  'run, Ctrl-C': {
    args: ['run', 'mend it'],
    prepare: openAny,
    script: [EDIT, shell('echo begun; sleep 60')],
    shows: KEPT,
    code: 130,
    drive: press('│ begun', 'C-c'),
  },
  'run, nothing to do': { args: ['run'], shows: 'Say what: spoq run "fix the failing test"', code: 64 },
  'run --': {
    args: ['run', '--', 'sh', '-c', 'echo out; echo err >&2; echo new > new.txt; exit 3'],
    prepare: openAny,
    shows: `out err 1 file changed, +1 -0. ${CHANGED}`,
    code: 3,
    piped: { code: 3, shows: `1 file changed, +1 -0. ${CHANGED}` },
  },
  'run -- with the terminal': {
    args: ['run', '--', 'sh', '-c', 'test -t 0 && test -t 1 && stty size; read line; echo "got $line, $?"'],
    prepare: openAny,
    shows: 'got hello, 0',
    async drive({ see, type, press: hit, columns }) {
      await see(`50 ${columns}`);
      await type('hello');
      await hit('Enter');
    },
    piped: { code: 0, shows: 'got , 1' },
  },
  'run --, Ctrl-C': {
    args: ['run', '--', 'sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done'],
    prepare: openAny,
    shows: 'caught',
    code: 5,
    drive: press('ready', 'C-c'),
  },
  'run --, Ctrl-C twice': {
    args: ['run', '--', 'sh', '-c', 'trap "" INT; echo ready; sleep 60'],
    prepare: openAny,
    shows: 'It goes on without you: spoq attach',
    code: 130,
    drive: press('ready', 'C-c', 'C-c'),
  },
  diff: { args: ['diff'], prepare: openKept, shows: '+export const answer = 42;', isData: true },
  'diff, nothing there': {
    args: ['diff'],
    prepare: share(openNew),
    shows: 'Begin one with `spoq run`, or name one of `spoq sessions`.',
    code: 1,
  },
  'discard, no': {
    args: ['discard'],
    prepare: openKept,
    shows: 'Nothing was dropped.',
    drive: press(DROP, 'n', 'Enter'),
    piped: PLAIN_DROP,
  },
  'discard, Ctrl-C': {
    args: ['discard'],
    prepare: openKept,
    shows: 'Stopped.',
    code: 130,
    drive: press(DROP, 'C-c'),
    piped: PLAIN_DROP,
  },
  'discard, Ctrl-D': {
    args: ['discard'],
    prepare: openKept,
    shows: 'Stopped.',
    code: 130,
    drive: press(DROP, 'C-d'),
    piped: PLAIN_DROP,
  },
  'apply, both changed a line': {
    args: ['apply'],
    prepare: openTornApart,
    shows: "main.ts: changed on both sides in the same place - the box's is main.ts.from-box",
    code: 1,
  },
  'run, allowed once': {
    args: ['run', 'tag it'],
    prepare: openAny,
    script: TAG,
    shows: `allowed once (${hostname()}) ${DONE}`,
    drive: press(QUESTION, '1', 'Enter'),
  },
  'run, denied': {
    args: ['run', 'tag it'],
    prepare: openAny,
    script: TAG,
    shows: `● $ ${COMMAND} └ not done: the answer was no So be it.`,
    drive: press(ALLOW, '3', 'Enter'),
  },
  'run, Ctrl-C at the question': {
    args: ['run', 'tag it'],
    prepare: openAny,
    script: TAG,
    shows: KEPT,
    code: 130,
    drive: press(ALLOW, 'C-c'),
  },
  'run, Ctrl-D at the question': {
    args: ['run', 'tag it'],
    prepare: openAny,
    script: TAG,
    shows: KEPT,
    code: 130,
    drive: press(ALLOW, 'C-d'),
  },
};

describe('spoq run in terminals', function () {
  this.timeout(60_000);
  const stage = useStage(async () => {
    return { conductor: await compileConductor('terminals'), ask: ['shell(git tag)'] };
  });
  const play = (steps: ModelStep[]): void => void (stage.world.model.speak = playScript(steps));

  testRows(stage, ROWS, { before: (name) => play(ROWS[name]?.script ?? MEND) });

  /** In one narrow window: what is done can't be done again in another. */
  async function drive(args: string[], laptop: Laptop, question: string, key: string): Promise<Window> {
    const window = await stage.open(args, 40, COLOURS, laptop);
    await window.see(question);
    await window.press(key, 'Enter');
    expect(await window.ended()).to.equal(0);
    expect((await window.lines()).filter((line) => line.length > 40)).to.deep.equal([]);
    return window;
  }

  it('drops what a run has changed, after a yes', async () => {
    play(MEND);
    const laptop = await openMended(stage);
    const window = await drive(['discard'], laptop, DROP, 'y');
    await window.show('(y/N) yes Dropped: 2 changed files of "mend it". What was said is kept.');
    expect((await stage.run(['diff'], laptop)).code).to.equal(1);
  });

  it('asks no more in a workspace in which it is allowed always', async () => {
    play(TAG);
    const laptop = await openNew(stage);
    const window = await drive(['run', 'tag it'], laptop, ALLOW, '2');
    await window.show(`allowed from now on (${hostname()}) ${DONE}`);
    const { code, err } = await stage.run(['run', '--no-wait', 'tag it'], laptop);
    expect([code, err.includes('└ done')], err).to.deep.equal([0, true]);
  });

  describe('a question that nobody sees', () => {
    const ANSWERED = '24 tokens in, 14 out';

    /** The conversation that a line names, as `spoq attach` takes it. */
    const findId = (text: string): string | undefined => /spoq attach\s([\da-f]{8})/.exec(text)?.[1];
    const answer = (laptop: Laptop, id: string | undefined, key: string): Promise<Window> =>
      drive(id === undefined ? ['attach'] : ['attach', id], laptop, ALLOW, key);

    it('is answered in a terminal elsewhere, and said to be', async () => {
      play(TAG);
      const laptop = await openAny(stage);
      const run = stage.start(['run', 'tag it'], laptop);
      const id = await waitFor('the line that says where', () => findId(run.err()));
      expect(run.err()).to.contain(`It waits for an answer: $ ${COMMAND}\nAnswer in a terminal: spoq attach ${id}\n`);
      // Who leaves the question there leaves it to others.
      const reading = await stage.open(['attach'], 40, COLOURS, laptop);
      await reading.see(ALLOW);
      await reading.press('C-c');
      expect(await reading.ended()).to.equal(130);
      await reading.show('It goes on without you: spoq attach');
      const window = await answer(laptop, id, '1');
      await window.show(ANSWERED);
      const { code, out, err } = await run.ended;
      expect([code, out]).to.deep.equal([0, 'So be it.\n']);
      expect(err).to.contain('allowed once (').and.contain(ANSWERED);
    });

    it('goes from the screen where another terminal was first', async () => {
      play(TAG);
      const laptop = await openAny(stage);
      const first = await stage.open(['run', 'tag it'], 40, COLOURS, laptop);
      await first.see(ALLOW);
      await answer(laptop, undefined, '3');
      expect(await first.ended()).to.equal(0);
      await first.show('3 no 1 to 3: denied (');
    });

    it('fails at once with --no-wait, and says how to allow it', async () => {
      play(TAG);
      const { code, err } = await stage.run(['run', '--no-wait', 'tag it'], await openAny(stage));
      expect(code).to.equal(1);
      expect(err).to.contain(`It asks: $ ${COMMAND}`).and.contain('allow it beforehand with --allow');
    });

    it('is told of by a program that has the keys', async () => {
      const laptop = await openAny(stage);
      const curl = 'curl -sS http://example.invalid; echo "ended with $?"';
      const window = await stage.open(['run', '--', 'sh', '-c', curl], 40, COLOURS, laptop);
      await window.see('It waits for an answer: Connect to example.invalid Answer in a terminal: spoq attach');
      await answer(laptop, findId(await window.sent()), '3');
      expect(await window.ended()).to.equal(0);
      await window.show('ended with');
      for (const line of await window.lines()) expect(line).to.match(/^\S|^$/); // nothing hangs in the middle
    });
  });
});
