import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { playScripts } from '../conductor/testing/scripted-model.ts';
import { openDocsWorld } from './harness/docs-world.ts';
import type { DocsWorld } from './harness/docs-world.ts';
import { isShown, readBlocks, readCalls } from './harness/page.ts';
import type { Call } from './harness/page.ts';
import type { Shell } from './harness/shell.ts';
import { missingForTmux } from './harness/tmux.ts';
import type { Window } from './harness/tmux.ts';
import { waitFor } from './harness/wait.ts';

const PAGE = path.join(path.dirname(import.meta.dirname), 'docs', 'tutorial.md');

/** What the model says and does, by the question. */
const SCRIPTS = [
  {
    match: 'why does this fail?',
    steps: [{ text: 'The test wants 5 and gets -5: total() begins at 0 and subtracts.' }],
  },
  { match: 'which line would you', steps: [{ text: 'Line 3 of total.js: sum - price becomes sum + price.' }] },
  { match: 'what does this do?', steps: [{ text: 'It should add up prices, but it subtracts each of them.' }] },
  {
    match: 'fix the bug',
    steps: [
      { text: 'The test first.', calls: [{ name: 'shell', input: { command: 'npm test' } }] },
      {
        text: 'It subtracts where it should add.',
        calls: [
          { name: 'edit_file', input: { path: 'total.js', edits: [{ old: 'sum - price', new: 'sum + price' }] } },
        ],
      },
      { calls: [{ name: 'shell', input: { command: 'npm test' } }] },
      { text: 'total() adds now, and the test passes.' },
    ],
  },
  {
    match: 'add the VAT',
    steps: [
      { text: 'I look up the rate.', calls: [{ name: 'fetch', input: { url: 'https://example.com/vat.json' } }] },
      {
        text: 'Then I leave a place for it.',
        calls: [{ name: 'write_file', input: { path: 'vat.js', text: 'export const VAT = 0;\n' } }],
      },
      { text: 'The rate is 0 in vat.js until you fill it in.' },
    ],
  },
];

/** What can't be run here, word by word: whoever adds to it has a reason. */
const NOT_RUN = [
  // It downloads from the internet; install.test.ts runs the same line against a server of ours, in clean systems.
  'curl -sSL https://spoq.dev/install.sh | bash\n',
  // There is no sshd here; test/box logs in to a box that has booted. What is typed after it is run.
  'ssh spoq@alice.spoq.dev\n',
];

/** Told only where it takes longer than one notices. */
const ONLY_WHEN_SLOW = ['Checking the files out…'];

const SECRET = 'sk-ant-only-of-the-tutorial-6789';

/** What the person does while a command runs, as the page shows it: answers behind questions, Ctrl-D at the prompt of a conversation. */
async function act(world: DocsWorld, shell: Shell, { command, shown }: Call, window: Window): Promise<void> {
  if (command === 'spoq init') {
    const url = await waitFor('the browser', () => shell.openedUrl());
    const code = new URL(url).searchParams.get('code') ?? '';
    await window.see(`Approve only if the page shows this code: ${code}`);
    expect(await world.approve(url)).to.include(code);
  }
  for (const line of shown) {
    const [, question, answer] = /^(.*(?:\(y\/N\)|1 to \d+:)) (\S+)$/.exec(line) ?? [];
    if (question !== undefined && answer !== undefined) {
      await window.see(question);
      await window.type(answer.charAt(0));
    } else if (line.endsWith('(it is not shown):')) {
      await window.see(line);
      await window.type(SECRET);
      await window.press('Enter');
    } else if (line === '>') {
      await window.see('Ctrl-D leaves.');
      await window.press('C-d');
    }
  }
}

/** The lines of which page and terminal differ, as `page | terminal`. */
function compare(shown: string[], printed: string[]): string[] {
  const longest = Math.max(shown.length, printed.length);
  return Array.from({ length: longest }, (_, at) => [shown[at], printed[at]])
    .filter(([page, terminal]) => !isShown(terminal, page))
    .map(([page, terminal]) => `${page ?? '(nothing)'} | ${terminal ?? '(nothing)'}`);
}

describe('docs/tutorial.md', function () {
  this.timeout(60_000);
  const blocks = readBlocks(PAGE);
  let world: DocsWorld;
  let laptop: Shell;

  before(async function () {
    const missing = missingForTmux();
    if (missing !== undefined) {
      process.stderr.write(`The tutorial is not tried: ${missing}.\n`);
      this.skip();
    }
    world = await openDocsWorld();
    world.model.speak = playScripts(SCRIPTS);
    laptop = await world.openLaptop('laptop', { signedIn: false });
  });
  after(() => world?.[Symbol.asyncDispose]());

  it('has no block that is neither run nor listed here', () => {
    const others = blocks.filter(({ language }) => language !== 'console' && language !== 'js');
    expect(others.map(({ text }) => text)).to.deep.equal(NOT_RUN);
  });

  let isOver = false;
  for (const block of blocks) {
    if (block.language === 'js')
      it(`writes ${block.text.split('\n', 1)[0] ?? ''}`, () => {
        const [, name = ''] = /^\/\/ (\S+)\n/.exec(block.text) ?? [];
        writeFileSync(path.join(laptop.cwd, name), block.text);
      });
    for (const call of readCalls([block]))
      it(`${call.where === 'box' ? 'box ' : ''}$ ${call.command}`, async function () {
        if (isOver) this.skip(); // what follows goes on from what has failed
        isOver = true;
        const shell = call.where === 'box' ? world.box : laptop;
        const { code, lines } = await shell.run(call.command, (window) => act(world, shell, call, window));
        const printed = lines.map(world.nameHosts).filter((line) => !ONLY_WHEN_SLOW.includes(line));
        expect(compare(call.shown, printed), 'page | terminal').to.deep.equal([]);
        // What has failed on the page has failed by its exit code, too.
        expect(code, 'exit code').to.equal(call.shown.some((line) => line.startsWith('failed')) ? 1 : 0);
        isOver = false;
      });
  }

  it('leaves the key where it belongs: on no screen and in no file of the laptop', async () => {
    const { lines } = await laptop.run(`grep -rl ${SECRET} ~ | cat`);
    expect(lines).to.deep.equal([]);
    expect(readFileSync(PAGE, 'utf8')).not.to.include(SECRET);
    expect(world.model.calls.at(-1)?.headers['x-api-key']).to.equal(SECRET);
  });
});
