import { expect } from 'chai';
import path from 'node:path';
import { runCommand } from '../../tools/run-command.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const STEPS = 15;

/** As a person runs it: the real spoq, a box that boots, and the sandbox's model on a script. */
describe('npm run journey -- --story agent', function () {
  this.timeout(10 * 60_000);

  it('has a bug repaired on the box and the patch taken here, also while the line is cut every second', async () => {
    const argv = ['tools/setup.mjs', 'journey', '--story', 'agent', '--json'];
    const { code, stdout, stderr } = await runCommand(process.execPath, argv, { cwd: ROOT, env: process.env });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.filter(({ error }) => error !== undefined),
      stderr,
    ).to.deep.equal([]);
    expect(lines.at(-1)).to.deep.include({ ok: true, story: 'agent', steps: STEPS });
    expect(code).to.equal(0);
  });
});
