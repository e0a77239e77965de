import { expect } from 'chai';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { toStackName } from '../control-plane/db/user-vps.ts';
import { runCommand } from '../tools/run-command.ts';
import type { CommandResult } from '../tools/run-command.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { writePrivateFile } from '../tools/state-folder.ts';
import { writeWrappers } from '../tools/wrappers.ts';
import { openOperatorSide } from './harness/operator-side.ts';
import type { OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';

const ROOT = path.dirname(import.meta.dirname);

interface OperatorPreview {
  changed: boolean;
  steps: { resource: string; type: string; operation: string; changes: string[] }[];
}
interface EnginePreview {
  steps: { op: string; urn: string; diffReasons?: string[] }[];
}

/** One user's box, looked at from the shell and through the operators' command. */
describe('a preview', function () {
  this.timeout(START_TIMEOUT_MS);
  let run: TemporaryRun;
  let side: OperatorSide;
  let stack: string;
  let userId: string;

  before(async () => {
    run = await startTestSpoq();
    side = await openOperatorSide(run);
    writePrivateFile(run.folder.environment, JSON.stringify(run.environment));
    writeWrappers(run.folder, { root: ROOT, parts: run, spoq: run.prepared.spoq });
    const user = await side.subscribe('alice');
    userId = user.id;
    const box = await side.requestBox(user);
    await side.awaitBox(box.id, ['ready']);
    stack = toStackName(box.id);
  });
  after(async () => {
    await side?.close();
    await run?.stop();
    // What the engine keeps of a stack beside Pulumi.yaml, git-ignored.
    rmSync(path.join(ROOT, `Pulumi.${stack}.yaml`), { force: true });
  });

  function fromShell(): Promise<CommandResult> {
    const { PATH, HOME } = process.env; // a shell knows nothing of this run
    const argv = ['preview', '--stack', stack, '--json', '--non-interactive'];
    return runCommand(path.join(run.folder.bin, 'pulumi'), argv, { cwd: run.scratch, env: { PATH, HOME } });
  }
  function throughOperator(): Promise<CommandResult> {
    const argv = [path.join(ROOT, 'control-plane', 'operator.ts'), 'preview', 'alice', '--json'];
    return runCommand(process.execPath, argv, { cwd: ROOT, env: run.environment });
  }

  /** What would happen to which resource, as the shell's engine tells it. */
  async function previewFromShell(): Promise<string[]> {
    const { code, stdout, stderr } = await fromShell();
    expect(code, stderr).to.equal(0);
    const { steps } = JSON.parse(stdout) as EnginePreview;
    const seen = steps.map(({ op, urn }) => ({ op, type: urn.split('::')[2]?.split('$').at(-1) ?? '' }));
    const own = seen.filter(({ type }) => !type.startsWith('pulumi:'));
    return own.map(({ op, type }) => `${simplify(op)} ${type}`).sort();
  }
  async function previewThroughOperator(): Promise<string[]> {
    const { code, stdout, stderr } = await throughOperator();
    expect(code, stderr).to.equal(0);
    const { steps } = JSON.parse(stdout) as OperatorPreview;
    return steps.map(({ operation, type }) => `${operation} ${type}`).sort();
  }

  it('shows no change of a box that was just made, either way', async () => {
    const [shell, operator] = [await previewFromShell(), await previewThroughOperator()];
    expect(shell.filter((line) => !line.startsWith('same'))).to.deep.equal([]);
    expect(operator.filter((line) => !line.startsWith('same'))).to.deep.equal([]);
  });

  it('shows the same change when the box shall be elsewhere', async () => {
    await side.deps.db('user_vps').where('user_id', userId).update({ region: 'US-east' });
    const [shell, operator] = [await previewFromShell(), await previewThroughOperator()];
    const changes = (lines: string[]): string[] => lines.filter((line) => !line.startsWith('same'));
    expect(changes(shell)).to.not.deep.equal([]);
    expect(changes(shell)).to.deep.equal(changes(operator));
  });
});

/** The engine tells a replacement in three steps. */
function simplify(op: string): string {
  return ['replace', 'create-replacement', 'delete-replaced'].includes(op) ? 'replace' : op;
}
