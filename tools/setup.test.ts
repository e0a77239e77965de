import { expect } from 'chai';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommand } from './run-command.ts';
import type { CommandResult } from './run-command.ts';

/** A clone in miniature: one package, an `npm` of our own, and a command that prints its arguments. */
describe('tools/setup.mjs', () => {
  let root: string;
  let bin: string;

  const lock = {
    packages: {
      '': {},
      'node_modules/left': { version: '1.0.0' },
      'node_modules/maybe': { version: '1.0.0', optional: true },
    },
  };
  const installs = (): number =>
    existsSync(path.join(root, 'installs')) ? readFileSync(path.join(root, 'installs'), 'utf8').length : 0;

  /** What a good `npm ci` leaves, done by a shell script: it counts itself, too. */
  const GOOD_NPM = `#!/bin/sh
printf x >> installs
rm -rf node_modules; mkdir -p node_modules/left node_modules/.bin
echo '{"version":"1.0.0"}' > node_modules/left/package.json
echo '{"packages":{"node_modules/left":{"version":"1.0.0"}}}' > node_modules/.package-lock.json
ln -s '${process.execPath}' node_modules/.bin/node
`;

  function writeNpm(script: string): void {
    writeFileSync(path.join(bin, 'npm'), script);
    chmodSync(path.join(bin, 'npm'), 0o755);
  }

  function setup(...args: string[]): Promise<CommandResult> {
    const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: root };
    return runCommand(process.execPath, [path.join(root, 'tools', 'setup.mjs'), ...args], {
      cwd: root,
      env,
      timeoutMs: 15_000,
    });
  }

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'spoq-setup-'));
    bin = path.join(root, 'bin');
    mkdirSync(path.join(root, 'tools'));
    mkdirSync(bin);
    copyFileSync(path.join(import.meta.dirname, 'setup.mjs'), path.join(root, 'tools', 'setup.mjs'));
    writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify(lock));
    writeFileSync(
      path.join(root, 'tools', 'check.ts'),
      'console.log(JSON.stringify(process.argv.slice(2))); process.exit(7);',
    );
    writeNpm(GOOD_NPM);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('installs the packages of a fresh clone once, then runs the command with its arguments and exit code', async () => {
    const first = await setup('check', '--a', 'b c');
    expect({ code: first.code, stdout: first.stdout }).to.deep.equal({ code: 7, stdout: '["--a","b c"]\n' });
    expect(first.stderr).to.match(/^Installing packages …\nInstalling packages: done in \d+ s\n$/);
    const second = await setup('check');
    expect({ code: second.code, stderr: second.stderr, installs: installs() }).to.deep.equal({
      code: 7,
      stderr: '',
      installs: 1,
    });
  });

  it('makes the folder of secrets its own before anything lies in it', async () => {
    await setup('check');
    expect((statSync(path.join(root, '.spoq')).mode & 0o777).toString(8)).to.equal('700');
  });

  it('installs again when the lock file has changed', async () => {
    await setup('check');
    lock.packages['node_modules/left'].version = '2.0.0';
    writeFileSync(path.join(root, 'package-lock.json'), JSON.stringify(lock));
    lock.packages['node_modules/left'].version = '1.0.0';
    await setup('check');
    expect(installs()).to.equal(2);
  });

  it('repairs node_modules when a package or the pinned Node is gone', async () => {
    await setup('check');
    rmSync(path.join(root, 'node_modules', 'left'), { recursive: true });
    const repaired = await setup('check');
    expect(repaired.stderr).to.contain('Repairing the installed packages: done');
    rmSync(path.join(root, 'node_modules', '.bin', 'node'));
    await setup('check');
    expect(installs()).to.equal(3);
  });

  it('takes node_modules that somebody else installed from the same lock file', async () => {
    const modules = path.join(root, 'node_modules');
    mkdirSync(path.join(modules, 'left'), { recursive: true });
    mkdirSync(path.join(modules, '.bin'));
    writeFileSync(path.join(modules, 'left', 'package.json'), '{}');
    writeFileSync(path.join(modules, '.package-lock.json'), JSON.stringify(lock));
    symlinkSync(process.execPath, path.join(modules, '.bin', 'node'));
    await setup('check');
    expect(installs()).to.equal(0);
  });

  it('lets only one of two runs install, and the other one wait', async () => {
    writeNpm(GOOD_NPM.replace('printf x', 'sleep 1; printf x'));
    const [one, other] = await Promise.all([setup('check'), setup('check')]);
    expect([one.code, other.code, installs()]).to.deep.equal([7, 7, 1]);
    expect(`${one.stderr}${other.stderr}`).to.match(
      /Another run \(pid \d+\) is installing packages in this clone; waiting for it\./,
    );
  });

  it('takes over the lock of a run that died', async () => {
    mkdirSync(path.join(root, '.spoq'));
    writeFileSync(path.join(root, '.spoq', 'setup.lock'), '1073741824');
    expect((await setup('check')).code).to.equal(7);
    expect(existsSync(path.join(root, '.spoq', 'setup.lock'))).to.equal(false);
  });

  it('says in one sentence that the network failed, and leaves the lock free', async () => {
    writeNpm('#!/bin/sh\necho "npm error code ENOTFOUND" >&2\nexit 1\n');
    const { code, stderr } = await setup('check');
    expect(code).to.equal(1);
    expect(stderr.trim().split('\n').at(-1)).to.equal(
      'The packages could not be downloaded (npm said ENOTFOUND). Check the network, then run it again: nothing half done is kept.',
    );
    expect(existsSync(path.join(root, '.spoq', 'setup.lock'))).to.equal(false);
  });

  it('names the commands there are', async () => {
    const { code, stderr } = await setup('stop');
    expect({ code, stderr }).to.deep.equal({
      code: 1,
      stderr: "There is no command 'stop'. The commands are: start, test, journey, bench, operator, release, check.\n",
    });
  });
});
