import { expect } from 'chai';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { fitText } from './fit.ts';
import { measureWidth } from './width.ts';

describe('fitText', () => {
  it('leaves alone what fits, and breaks the rest between words', () => {
    expect(fitText('one two\nthree four five', 10)).to.equal('one two\nthree four\nfive');
  });

  it('keeps the indentation of a line', () => {
    expect(fitText('  aa bb cc', 7)).to.equal('  aa bb\n  cc');
    expect(fitText('\u001b[2m  aa bb cc\u001b[22m', 7)).to.equal('\u001b[2m  aa bb\n  cc\u001b[22m');
  });

  it('keeps columns where there is room, and goes on below where there is not', () => {
    expect(fitText('Disk   81 GB free of 100 GB', 20)).to.equal('Disk   81 GB free of\n       100 GB');
    expect(fitText('  $ spoq init      sign in', 20)).to.equal('  $ spoq init\n      sign in');
  });

  it('leaves the space behind a question, if there is room', () => {
    expect(fitText('one two? (y/N) ', 10)).to.equal('one two?\n(y/N) ');
    expect(fitText('one (y/N) ', 5)).to.equal('one\n(y/N)');
  });

  it('breaks no word, and measures what the eye sees', () => {
    expect(fitText('see https://spoq.dev/auth/verify now', 12)).to.equal('see\nhttps://spoq.dev/auth/verify\nnow');
    expect(fitText('\u001b[1mone two\u001b[22m', 7)).to.equal('\u001b[1mone two\u001b[22m');
    expect(fitText('日本 日本', 5)).to.equal('日本\n日本');
  });

  for (const args of [['help'], ['help', 'init'], ['help', 'ask'], ['help', 'status'], ['help', 'logout'], ['stauts']])
    it(`keeps \`spoq ${args.join(' ')}\` within 40 columns`, async () => {
      const deps = createTestDeps({ tty: true, columns: 40, env: { NO_COLOR: '1' } });
      await runCli(deps, args);
      const lines = `${deps.out()}${deps.err()}`.split('\n');
      // A command that can't be broken is shown whole.
      const wide = lines.filter((line) => measureWidth(line) > 40 && /\s\S/.test(line.trim()));
      expect(wide).to.deep.equal([]);
      expect(lines.length).to.be.above(3);
    });

  it('changes nothing where it is read by a program', async () => {
    const piped = createTestDeps({ columns: 40 });
    await runCli(piped, ['help']);
    const json = createTestDeps({ tty: true, columns: 40 });
    await runCli(json, ['status', '--json']);
    expect(piped.out()).to.contain('  $ spoq init                                 sign this computer in\n');
    expect(JSON.parse(json.err())).to.include({ code: 'not_authenticated' });
  });
});
