import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agreeOn, listChanges } from './changes.ts';
import { isEmptyTree } from './entry.ts';
import { scanTree } from './scan.ts';
import type { Scan } from './scan.ts';
import { loadTreeState, readStoredState, saveTreeState } from './stored-state.ts';
import { createTreeState } from './tree-state.ts';
import type { TreeState } from './tree-state.ts';

const unfold = (state: TreeState): unknown => ({ ...state, rows: [...state.rows], base: [...state.base] });

describe('a look at a tree', () => {
  let folder: string;
  let root: string;
  let state: TreeState;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spoq-scan-'));
    root = join(folder, 'root');
    mkdirSync(root);
    state = createTreeState();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (path: string, text: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  /** Long ago, so that the clock's tick is over. */
  const settle = (): void =>
    void execFileSync('find', [root, '-exec', 'touch', '-d', '2026-01-01T00:00:00.5', '{}', '+']);
  const scan = async (allow: string[] = [], read: string[] = []): Promise<Scan> => {
    const found = await scanTree(root, state, {
      allow,
      onContent: (_hash, bytes) => void read.push(Buffer.from(bytes).toString()),
    });
    state.rows = found.rows;
    state.allow = allow;
    return found;
  };

  it('reads what is new and changed, and nothing else', async () => {
    write('a', 'one');
    write('deep/b', 'two');
    await scan();
    settle();
    await new Promise((done) => setTimeout(done, 30)); // The clock of the inode's change has to tick, too.
    await scan();
    write('deep/c', 'three');
    writeFileSync(join(root, 'a'), 'ONE');
    utimesSync(join(root, 'a'), new Date('2026-01-01T00:00:00.5'), new Date('2026-01-01T00:00:00.5')); // Same size, same time
    const read: string[] = [];
    const { manifest } = await scan([], read);
    expect(read.toSorted()).to.deep.equal(['ONE', 'three']);
    expect([...manifest.keys()].toSorted()).to.deep.equal(['a', 'deep', 'deep/b', 'deep/c']);
  });

  it('remembers all of it in a file, and looks anew where that is broken', async () => {
    write('a', 'one');
    symlinkSync('a', join(root, 'l'));
    write('.env', 'X=1');
    const { left_out } = await scan();
    const file = join(folder, 'state');
    state.base.set('gone', { kind: 'folder', mode: 0o755 });
    const before = unfold(state);
    saveTreeState(file, state);
    expect(unfold(state)).to.deep.equal(before);
    expect(unfold(loadTreeState(file))).to.deep.equal(before);
    expect(readStoredState(file)?.columns.listLeftOut()).to.deep.equal(left_out);
    truncateSync(file, 40);
    expect(unfold(loadTreeState(file))).to.deep.equal(unfold(createTreeState()));
  });

  it('heeds ignore files, in the middle of the tree and when they change', async () => {
    write('.gitignore', '*.log\nout/\n');
    write('sub/.gitignore', '!keep.log\n');
    for (const path of ['x.log', 'sub/keep.log', 'sub/y.log', 'out/z', 'src/a']) write(path, path);
    expect([...(await scan()).manifest.keys()].toSorted()).to.deep.equal([
      '.gitignore',
      'src',
      'src/a',
      'sub',
      'sub/.gitignore',
      'sub/keep.log',
    ]);
    write('.spoqignore', '!x.log\nsrc/\n');
    const { manifest, excludes } = await scan();
    expect([...manifest.keys()].toSorted()).to.deep.equal([
      '.gitignore',
      '.spoqignore',
      'sub',
      'sub/.gitignore',
      'sub/keep.log',
      'x.log',
    ]);
    expect(['src/a', 'out/new', 'a.log', '.git/x', 'new'].map(excludes)).to.deep.equal([true, true, true, true, false]);
    rmSync(join(root, '.spoqignore'));
    expect((await scan()).manifest.has('src/a')).to.equal(true);
  });

  it('heeds an ignore file that is ignored itself when it changes, and does not name it', async () => {
    write('.gitignore', '.spoqignore\n');
    write('.spoqignore', 'a\n');
    for (const path of ['a', 'b', 'sub/a']) write(path, path);
    // From here on nothing but what an ignore file says is another, and all is older than the clock's tick.
    settle();
    await sleep(50);
    const names = async (): Promise<string[]> => {
      const { manifest, left_out, excludes } = await scan();
      expect(left_out).to.deep.equal([]);
      expect(excludes('.spoqignore')).to.equal(true);
      return [...manifest.keys()].filter((path) => path !== '.gitignore').toSorted();
    };
    expect(await names()).to.deep.equal(['b']);
    write('.spoqignore', 'b\n');
    await sleep(50);
    expect(await names()).to.deep.equal(['a', 'sub', 'sub/a']);
    saveTreeState(join(folder, 'state'), state);
    state = loadTreeState(join(folder, 'state'));
    expect(await names()).to.deep.equal(['a', 'sub', 'sub/a']);
    write('.spoqignore', 'sub/\n');
    await sleep(50);
    expect(await names()).to.deep.equal(['a', 'b']);
    write('.gitignore', '\n');
    expect([...(await scan()).manifest.keys()]).to.include('.spoqignore');
  });

  it('leaves out and names what is no file', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    execFileSync('mkfifo', [join(root, '.spoqignore')]);
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((done) => server.once('listening', done));
    symlinkSync('/etc/passwd', join(root, 'out'));
    write('back\\slash', 'x');
    write('.env', 'X=1');
    write('.git/config', 'x');
    truncateSync(join(root, 'back\\slash'), 0);
    writeFileSync(join(root, 'sparse'), '');
    truncateSync(join(root, 'sparse'), 2 ** 40);
    const { left_out, manifest } = await scan();
    server.close();
    expect(Object.fromEntries(left_out.map(({ path, reason }) => [path, reason]))).to.deep.equal({
      '.env': 'withheld: environment file',
      '.spoqignore': 'a named pipe',
      'back\\slash': 'a name with a slash or backslash',
      out: 'a link to an absolute path',
      pipe: 'a named pipe',
      socket: 'a socket',
      sparse: 'larger than 4 GiB',
    });
    expect(manifest).to.satisfy(isEmptyTree);
  });

  it('takes what is allowed, and leaves it again when it no longer is', async () => {
    write('.env', 'X=1');
    expect((await scan()).manifest).to.satisfy(isEmptyTree);
    expect([...(await scan(['.env'])).manifest.keys()]).to.deep.equal(['.env']);
    expect((await scan()).manifest).to.satisfy(isEmptyTree);
  });

  it('leaves out a folder that holds only what is left out', async () => {
    write('.gitignore', 'node_modules\n');
    write('pkg/node_modules/x', 'x');
    mkdirSync(join(root, 'empty'));
    expect([...(await scan()).manifest.keys()].toSorted()).to.deep.equal(['.gitignore', 'empty']);
  });

  it('misses every folder that has come to hold only what is left out, also those that were not touched', async () => {
    write('a/b/f', 'x');
    write('a/b/.env', 'X=1');
    settle();
    await new Promise((done) => setTimeout(done, 30)); // As above: what is fresh would be looked at anyway.
    agreeOn(state, state.base, 'first', listChanges(state.base, await scan()));
    saveTreeState(join(folder, 'state'), state);
    expect(listChanges(state.base, await scan())).to.deep.equal([]);
    rmSync(join(root, 'a/b/f'));
    expect(listChanges(state.base, await scan()).toSorted()).to.deep.equal([
      ['a', null],
      ['a/b', null],
      ['a/b/f', null],
    ]);
  });
});
