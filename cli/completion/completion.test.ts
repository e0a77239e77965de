import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import type { TemporaryFolder } from '../testing/temporary-folder.ts';

const COMMANDS = [
  'chat',
  'init',
  'ask',
  'sessions',
  'resume',
  'attach',
  'models',
  'budget',
  'keys',
  'sync',
  'status',
  'logout',
  'upgrade',
  'uninstall',
  'completion',
  'help',
];

async function printScript(...args: string[]): Promise<string> {
  const deps = createTestDeps();
  expect(await runCli(deps, ['completion', ...args])).to.equal(0);
  return deps.out();
}

function hasShell(name: string): boolean {
  try {
    execFileSync(name, ['-c', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Types words and presses Tab. Answers what there is then to choose from. */
type Complete = (folder: TemporaryFolder, ...words: string[]) => string[];

const BASH = `source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spoq; printf '%s\\n' "\${COMPREPLY[@]}"`;

/** In a terminal of its own: prints each line as it is after Tab. */
const ZSH = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "stty -echo; PS1=''; autoload -U compinit; compinit -u -D; source $1; cd $2
show() { print -r -- \\"<<\\$BUFFER>>\\"; BUFFER=; zle accept-line }; zle -N show; bindkey '^X' show; print -r BEG''UN"
zpty -r -m z out '*BEGUN*'
for line in "\${@:3}"; do
  zpty -w -n z "$line"$'\\t\\x18'
  zpty -r -m z out '*<<*>>*'
  print -r -- "\${\${out##*<<}%%>>*}"
done
zpty -d z`;

function run(folder: TemporaryFolder, program: string, args: string[]): string[] {
  const env = { PATH: process.env['PATH'], HOME: folder.path, TERM: 'dumb' };
  const out = execFileSync(program, args, { cwd: folder.path, env, encoding: 'utf8', timeout: 15_000 });
  return out.split('\n').filter((line) => line !== '');
}

const SHELLS: Record<'bash' | 'fish', Complete> = {
  bash: (folder, ...words) =>
    run(folder, 'bash', ['--norc', '-c', BASH, 'bash', join(folder.path, 'script'), ...words]),
  fish: (folder, ...words) =>
    run(folder, 'fish', ['--no-config', '-c', 'source script; complete -C $argv[1]', words.join(' ')]).map(
      (line) => line.split('\t')[0] ?? '',
    ),
};

/** Says why a test is skipped where a shell is missing. */
function needShell(context: Mocha.Context, shell: string): void {
  if (hasShell(shell)) return;
  console.log(`      ${shell} is not installed: its completion is not tried`);
  context.skip();
}

describe('spoq completion', () => {
  let folder: TemporaryFolder;
  const complete = (shell: keyof typeof SHELLS, ...words: string[]): string[] => SHELLS[shell](folder, ...words);
  const load = async (shell: string): Promise<void> => folder.write({ script: await printScript(shell) });

  beforeEach(async () => {
    folder = await createTemporaryFolder({ 'src/one.ts': '', 'src/two words.ts': '', 'other.txt': '' });
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  for (const shell of ['bash', 'fish'] as const)
    it(`is read by ${shell}, which then knows commands, flags and paths`, async function () {
      needShell(this, shell);
      await load(shell);
      expect(complete(shell, 'spoq', 'upg')).to.deep.equal(['upgrade']);
      expect(complete(shell, 'spoq', 'ask', '--dry')).to.deep.equal(['--dry-run']);
      expect(complete(shell, 'spoq', 'completion', 'zs')).to.deep.equal(['zsh']);
      expect(complete(shell, 'spoq', 'ask', '--allow', 'oth')).to.deep.equal(['other.txt']);
      const path = shell === 'bash' ? ['@', 'src/o'] : ['@src/o']; // bash cuts words at @
      expect(complete(shell, 'spoq', 'ask', ...path)).to.deep.equal(['@src/one.ts']);
    });

  it('is read by zsh, which then knows commands, flags and paths', async function () {
    needShell(this, 'zsh');
    await load('zsh');
    const lines = ['spoq upg', 'spoq ask --dry', 'spoq completion zs', 'spoq ask --allow oth', 'spoq ask @src/o'];
    expect(
      run(folder, 'zsh', ['-f', '-c', ZSH, 'zsh', join(folder.path, 'script'), folder.path, ...lines]),
    ).to.deep.equal([
      'spoq upgrade ',
      'spoq ask --dry-run ',
      'spoq completion zsh ',
      'spoq ask --allow other.txt ',
      'spoq ask @src/one.ts ',
    ]);
  });

  it('offers every command to bash and fish, and files with spaces in a way that can be typed', async function () {
    await load('bash');
    expect(complete('bash', 'spoq', '')).to.include.members([...COMMANDS, '--version', '--help']);
    expect(complete('bash', 'spoq', 'ask', '@', 'src/t')).to.deep.equal(['@src/two\\ words.ts']);
    expect(complete('bash', 'spoq', 'ask', '@sr')).to.deep.equal(['@src/']);
    expect(complete('bash', 'spoq', 'ask', '--budget', '')).to.deep.equal([]);
    if (!hasShell('fish')) return;
    await load('fish');
    expect(complete('fish', 'spoq', '')).to.include.members(COMMANDS);
  });

  it('is for shells that it knows, and plain JSON for programs', async () => {
    const deps = createTestDeps();
    expect(await runCli(deps, ['completion', 'tcsh'])).to.equal(64);
    expect(deps.err()).to.contain('Allowed choices are bash, zsh, fish.');
    const json = JSON.parse(await printScript('bash', '--json')) as { shell: string; script: string };
    expect(json).to.deep.equal({ shell: 'bash', script: await printScript('bash') });
  });
});
