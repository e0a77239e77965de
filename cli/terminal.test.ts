import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DONE, withProcess } from './testing/process-scenes.ts';
import { beginStream } from './testing/fake-server.ts';
import type { Handler } from './testing/fake-server.ts';
import { SOURCE_PROGRAM } from './testing/run-spoq.ts';

const ANSWER = '# Title\n\nSome **bold** words that go on beyond the width of a narrow terminal.\n\n- one\n';

const answer: Handler = (_, response) => {
  const send = beginStream(response);
  for (const char of ANSWER) send({ type: 'text', text: char });
  send(DONE);
  response.end();
};

/** Runs a command on a pseudo-terminal of 40 columns, made by script(1). Returns all that the terminal was sent. */
function runOnTerminal(
  command: string,
  cwd: string,
  env: Record<string, string>,
  onText: (seen: string) => void = () => undefined,
): Promise<string> {
  const all = {
    PATH: process.env.PATH ?? '',
    TERM: 'xterm-256color',
    SPOQ_VPS_MARKER: '/nonexistent/vps.marker',
    ...env,
  };
  const child = spawn('script', ['-qec', `stty cols 40; ${command}`, '/dev/null'], {
    cwd,
    env: all,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let seen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text;
    onText(seen);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(seen.replaceAll('\r\n', '\n')));
  });
}

describe('spoq on a terminal', () => {
  const command = `${SOURCE_PROGRAM.join(' ')} ask what`;

  before(function () {
    if (spawnSync('script', ['--version']).status !== 0) this.skip();
  });

  it('spins, then renders markdown within 40 columns', () =>
    withProcess({ 'POST /api/ask': answer }, async ({ cwd, env }) => {
      const seen = await runOnTerminal(command, cwd, env);
      expect(seen).to.contain('⠋ Asking alice.spoq.localhost… 0 s');
      const shown = seen.slice(seen.lastIndexOf('\u001b[K') + '\u001b[K'.length);
      expect(shown).to.equal(
        '\u001b[1mTitle\u001b[22m\n\nSome \u001b[1mbold\u001b[22m words that go on beyond the\nwidth of a narrow terminal.\n\n• one\n',
      );
    }));

  it('wraps at the new width when the window is resized while the answer is written', async () => {
    const { promise: wrapped, resolve: isWrapped } = Promise.withResolvers<void>();
    const paced: Handler = async (_, response) => {
      const send = beginStream(response);
      send({ type: 'text', text: 'begun ' });
      const timer = setInterval(() => send({ type: 'text', text: 'word ' }), 5);
      await wrapped;
      clearInterval(timer);
      send(DONE);
      response.end();
    };
    await withProcess({ 'POST /api/ask': paced }, async ({ cwd, env }) => {
      const tty = join(env['HOME'] ?? cwd, 'tty');
      let isResized = false;
      const seen = await runOnTerminal(`tty > ${tty}; ${command}`, cwd, env, (text) => {
        if (!isResized && text.includes('begun')) {
          spawnSync('stty', ['-F', readFileSync(tty, 'utf8').trim(), 'cols', '20']);
          isResized = true;
        }
        if (/(\r\n(word ?){1,4}){3}$/.test(text)) isWrapped();
      });
      // Which line is the first of the new width depends on when the program hears of it; from there on all are.
      expect(seen).to.match(/(\nword word word word){2}/);
    });
  });

  it('writes plain text with NO_COLOR, and neither colours nor a spinner on a dumb terminal', () =>
    withProcess({ 'POST /api/ask': answer }, async ({ cwd, env }) => {
      const noColor = await runOnTerminal(command, cwd, { ...env, NO_COLOR: '1' });
      expect(noColor.endsWith(ANSWER)).to.equal(true);
      const dumb = await runOnTerminal(command, cwd, { ...env, TERM: 'dumb' });
      expect(dumb).to.equal(`3 files, 79 B, 2 withheld, to alice's\nbox alice.spoq.localhost\n${ANSWER}`);
    }));
});
