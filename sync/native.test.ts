import { expect } from 'chai';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';

const BUN = join(import.meta.dirname, '..', 'node_modules', '.bin', 'bun');

/** Moves one file to a free place, and one to where something is. */
const MOVES = `
import { moveAtOnce } from './staging.ts';
import { getNative } from './native.ts';
const at = (name) => process.env.FOLDER + '/' + name;
moveAtOnce(at('a'), at('ü'), false);
let code;
try { moveAtOnce(at('b'), at('ü'), false); } catch (error) { code = error.code; }
const odd = [getNative()?.lay(at('b\\0c')), getNative()?.lay('x'.repeat(20_000))].map((laid) => laid ?? null);
console.log(JSON.stringify({ isNative: getNative() !== undefined, code, odd }));
`;

/** Prints what is seen of each name in `folder`, by both ways. */
const PROGRAM = `
import { openFastLooks } from './look-fast.ts';
import { lookAt } from './look.ts';
const { folder, names } = JSON.parse(process.env.LOOKS);
const paths = Buffer.from(names.map((name) => name + '\\0').join(''));
const looks = openFastLooks(folder, paths);
const pick = (look) => look && (({ mode, size, ino, mtimeMs, ctimeMs }) => ({ mode, size, ino, mtimeMs, ctimeMs }))(look);
let start = 0;
const both = names.map((name) => {
  const fast = pick(looks?.at(start));
  start = paths.indexOf(0, start) + 1;
  return [name, fast ?? null, pick(lookAt(folder + '/' + name)) ?? null];
});
looks?.close();
console.log(JSON.stringify(both));
`;

describe('what is asked of the kernel itself', () => {
  it('sees what lstat sees', async function () {
    if (process.platform !== 'linux') this.skip();
    await using folder = await createTemporaryFolder({});
    const at = (name: string): string => join(folder.path, name);
    mkdirSync(at('folder'));
    writeFileSync(at('folder/ümläut 名'), 'x'.repeat(70_000));
    writeFileSync(at('times'), '');
    utimesSync(at('times'), 1_700_000_000.123_456, 1_799_999_999.987_654);
    writeFileSync(at('closed'), 'y');
    chmodSync(at('closed'), 0o4750);
    symlinkSync('/nowhere', at('link'));
    execFileSync('mkfifo', [at('pipe')]);
    const names = [
      'folder',
      'folder/ümläut 名',
      'times',
      'closed',
      'link',
      'pipe',
      'gone',
      'times/below',
      'folder/gone',
    ];
    const { stdout } = await promisify(execFile)(BUN, ['-e', PROGRAM], {
      cwd: import.meta.dirname,
      env: { PATH: process.env['PATH'], LOOKS: JSON.stringify({ folder: folder.path, names }) },
    });
    const both = JSON.parse(stdout) as [string, unknown, unknown][];
    expect(both.map(([name]) => name)).to.deep.equal(names);
    for (const [name, fast, slow] of both) expect(fast, name).to.deep.equal(slow);
    expect(both.filter(([, fast]) => fast !== null).map(([name]) => name)).to.deep.equal(names.slice(0, 6));
  });

  it('moves a file to a place that is free, and to no other', async function () {
    if (process.platform !== 'linux') this.skip();
    await using folder = await createTemporaryFolder({});
    const at = (name: string): string => join(folder.path, name);
    writeFileSync(at('a'), 'one');
    writeFileSync(at('b'), 'two');
    const { stdout } = await promisify(execFile)(BUN, ['-e', MOVES], {
      cwd: import.meta.dirname,
      env: { PATH: process.env['PATH'], FOLDER: folder.path },
    });
    expect(JSON.parse(stdout)).to.deep.equal({ isNative: true, code: 'EEXIST', odd: [null, null] });
    expect(readdirSync(folder.path).toSorted()).to.deep.equal(['b', 'ü']);
    expect(readFileSync(at('ü'), 'utf8')).to.equal('one');
  });

  it('passes the tests of trees as they pass without it', async function () {
    this.timeout(180_000);
    const root = join(import.meta.dirname, '..');
    const files = ['apply', 'scan', 'scan-property', 'staging'].map((name) => `sync/${name}.test.ts`);
    const argv = ['--bun', join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), '--reporter', 'json', ...files];
    const { stdout } = await promisify(execFile)(BUN, argv, { cwd: root, maxBuffer: 1 << 24 });
    const { stats } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { stats: { passes: number; failures: number } };
    expect(stats.failures).to.equal(0);
    expect(stats.passes).to.be.above(20);
  });
});
