import { expect } from 'chai';
import { runCli } from './program.ts';
import { createTestDeps } from './testing/create-test-deps.ts';
import { VERSION } from './version.ts';

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const deps = createTestDeps();
  const code = await runCli(deps, args);
  return { code, out: deps.out(), err: deps.err() };
}

describe('spoq', () => {
  it('explains itself, examples first', async () => {
    for (const args of [[], ['help'], ['--help'], ['-h']]) {
      const { code, out, err } = await run(...args);
      expect([code, err, out.startsWith('Examples:\n  $ spoq init')]).to.deep.equal([0, '', true]);
    }
    for (const name of ['init', 'chat', 'ask', 'status', 'logout']) {
      const { code, out } = await run('help', name);
      expect([code, out.startsWith(`Examples:\n  $ `), out.includes(`Usage: spoq ${name}`)]).to.deep.equal([
        0,
        true,
        true,
      ]);
      expect(await run(name, '--help')).to.deep.equal({ code, out, err: '' });
    }
  });

  it('tells its version', async () => {
    for (const flag of ['--version', '-V'])
      expect(await run(flag)).to.deep.equal({ code: 0, out: `${VERSION}\n`, err: '' });
  });

  it('guesses what was meant', async () => {
    expect(await run('stauts')).to.deep.equal({
      code: 64,
      out: '',
      err: "✗ The request is not valid.\n  unknown command 'stauts' (Did you mean status?)\n  See spoq help.\n",
    });
    expect((await run('ask', '--dryrun', 'x')).err).to.contain('(Did you mean --dry-run?)');
    expect((await run('st')).code).to.equal(64);
  });

  it('refuses a budget that is none', async () => {
    for (const budget of ['x', '-1', '1.5', '1000001']) {
      const { code, err } = await run('ask', '--budget', budget, 'x');
      expect([code, err.includes('It must be a whole number up to 1,000,000.')]).to.deep.equal([64, true]);
    }
  });

  it('reports usage as JSON with --json', async () => {
    const { code, err } = await run('ask', '--json', '--budget', 'x', 'y');
    expect([code, (JSON.parse(err) as { code: string }).code]).to.deep.equal([64, 'invalid_request']);
  });
});
