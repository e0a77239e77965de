import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry, Step } from '../contract/workspaces.ts';
import { applySteps } from './apply.ts';
import type { Applied } from './apply.ts';
import { scanTree } from './scan.ts';
import { openStaging } from './staging.ts';
import type { Staging } from './staging.ts';
import { createTreeState } from './tree-state.ts';
import type { TreeState } from './tree-state.ts';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const file = (text: string, mode = 0o644): Entry => ({
  kind: 'file',
  mode,
  size: Buffer.byteLength(text),
  hash: hashOf(text),
});
const step = (path: string, want: Entry | null, expect: Entry | null = null): Step => ({
  path,
  want,
  expect,
  agree: true,
});

describe('steps in a tree', () => {
  let folder: string;
  let root: string;
  let outside: string;
  let staging: Staging;
  let state: TreeState;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spoq-apply-'));
    root = join(folder, 'root');
    outside = join(folder, 'outside');
    mkdirSync(root);
    mkdirSync(outside);
    writeFileSync(join(outside, 'x.txt'), 'not yours');
    staging = openStaging(join(folder, 'staged'));
    state = createTreeState();
  });
  afterEach(() => {
    staging.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const scan = async (): Promise<void> => {
    state.rows = (await scanTree(root, state, { allow: [] })).rows;
  };
  const stage = (text: string): Entry => {
    expect(staging.put(hashOf(text), Buffer.from(text))).to.equal(true);
    return file(text);
  };
  const apply = (steps: Step[], more: { pause?: () => Promise<void>; platform?: string } = {}): Promise<Applied> =>
    applySteps(steps, { root, rows: state.rows, staging, ...more });
  const reasons = ({ refused }: Applied): Record<string, string> =>
    Object.fromEntries(refused.map(({ path, reason }) => [path, reason]));

  for (const platform of ['linux', 'other']) {
    describe(`where folders are held by ${platform === 'linux' ? 'descriptor' : 'path'}`, () => {
      it('writes, replaces, and removes, with modes', async () => {
        writeFileSync(join(root, 'old.txt'), 'old');
        await scan();
        const done = await apply(
          [
            step('a/b/new.sh', { ...stage('new'), mode: 0o755 } as Entry),
            step('old.txt', stage('newer'), file('old')),
            step('l', { kind: 'link', target: 'a/b' }),
          ],
          { platform },
        );
        expect(done.refused).to.deep.equal([]);
        expect(readFileSync(join(root, 'a/b/new.sh'), 'utf8')).to.equal('new');
        expect(lstatSync(join(root, 'a/b/new.sh')).mode & 0o777).to.equal(0o755);
        expect(readFileSync(join(root, 'old.txt'), 'utf8')).to.equal('newer');
        await scan();
        expect(
          reasons(
            await apply([step('old.txt', null, file('newer')), step('l', null, { kind: 'link', target: 'a/b' })], {
              platform,
            }),
          ),
        ).to.deep.equal({});
        expect(readdirSync(root)).to.deep.equal(['a']);
      });

      it('refuses paths that leave the tree, and git folders', async () => {
        await scan();
        const want = stage('evil');
        const paths = [
          '../outside/x.txt',
          '/etc/evil',
          'a/../../outside/y',
          '.git/hooks/post-checkout',
          'A/.GIT/config',
          'C:/x',
          'a\\b',
          'n\0ul',
        ];
        const answer = await apply(
          paths.map((path) => step(path, want)),
          { platform },
        );
        expect(Object.keys(reasons(answer))).to.have.members(paths);
        expect(readdirSync(root)).to.deep.equal([]);
        expect(readFileSync(join(outside, 'x.txt'), 'utf8')).to.equal('not yours');
      });

      it('writes and removes nothing through a link', async () => {
        await scan();
        symlinkSync(outside, join(root, 'way'));
        const answer = await apply([step('way/new.txt', stage('evil'))], { platform });
        expect(reasons(answer)).to.deep.equal({ 'way/new.txt': 'a folder above it is none any more' });
        expect(readdirSync(outside)).to.deep.equal(['x.txt']);
      });

      it('writes nothing outside when a link takes the place of a folder meanwhile', async () => {
        mkdirSync(join(root, 'sub'));
        await scan();
        const steps = Array.from({ length: 600 }, (_, at) => step(`sub/${at}.txt`, stage(`content ${at}`)));
        let swapped = false;
        await apply(steps, {
          platform,
          pause: async () => {
            if (swapped || readdirSync(join(root, 'sub')).length === 0) return;
            swapped = true;
            renameSync(join(root, 'sub'), join(root, 'moved'));
            symlinkSync(outside, join(root, 'sub'));
          },
        });
        expect(swapped).to.equal(true);
        expect(readdirSync(outside)).to.deep.equal(['x.txt']);
      });
    });
  }

  it('overwrites nothing that changed since it was looked at, nor what nobody knew of', async () => {
    writeFileSync(join(root, 'a.txt'), 'old');
    writeFileSync(join(root, 'b.txt'), 'old');
    await scan();
    writeFileSync(join(root, 'a.txt'), 'edited');
    writeFileSync(join(root, 'c.txt'), 'unknown');
    rmSync(join(root, 'b.txt'));
    const answer = await apply([
      step('a.txt', stage('new'), file('old')),
      step('b.txt', stage('new'), file('old')),
      step('c.txt', stage('new')),
    ]);
    expect(reasons(answer)).to.deep.equal({
      'a.txt': 'it has changed meanwhile',
      'b.txt': 'it is gone',
      'c.txt': 'something is there already',
    });
    expect(readFileSync(join(root, 'a.txt'), 'utf8')).to.equal('edited');
    expect(readFileSync(join(root, 'c.txt'), 'utf8')).to.equal('unknown');
  });

  it('does not change a file that a link outside shares with it', async () => {
    linkSync(join(outside, 'x.txt'), join(root, 'shared.txt'));
    await scan();
    expect((await apply([step('shared.txt', stage('new'), file('not yours'))])).refused).to.deep.equal([]);
    expect(readFileSync(join(outside, 'x.txt'), 'utf8')).to.equal('not yours');
    expect(readFileSync(join(root, 'shared.txt'), 'utf8')).to.equal('new');
  });

  it('takes contents of the tree for what is renamed or copied', async () => {
    mkdirSync(join(root, 'old'));
    writeFileSync(join(root, 'old/a'), 'one');
    writeFileSync(join(root, 'old/b'), 'two');
    await scan();
    const answer = await apply([
      step('new/a', file('one')),
      step('copy', file('two')),
      step('new/b', file('two', 0o600)),
      step('old/a', null, file('one')),
      step('old/b', null, file('two')),
      step('old', null, { kind: 'folder', mode: 0o755 }),
    ]);
    expect(answer.refused).to.deep.equal([]);
    expect(readdirSync(root, { recursive: true }).sort()).to.deep.equal(['copy', 'new', 'new/a', 'new/b']);
    expect(lstatSync(join(root, 'new/b')).ino).not.to.equal(lstatSync(join(root, 'copy')).ino);
  });

  it('makes a folder of a file, and a file of a folder', async () => {
    writeFileSync(join(root, 'x'), 'file');
    mkdirSync(join(root, 'y'));
    writeFileSync(join(root, 'y/z'), 'deep');
    chmodSync(join(root, 'y'), 0o755);
    await scan();
    const answer = await apply([
      step('x', { kind: 'folder', mode: 0o755 }, file('file')),
      step('x/in', stage('in')),
      step('y/z', null, file('deep')),
      step('y', file('deep'), { kind: 'folder', mode: 0o755 }),
    ]);
    expect(reasons(answer)).to.deep.equal({});
    expect(readFileSync(join(root, 'x/in'), 'utf8') + readFileSync(join(root, 'y'), 'utf8')).to.equal('indeep');
  });

  it('says what has not arrived, and refuses links that lead outside', async () => {
    await scan();
    const answer = await apply([step('a', file('nowhere')), step('l', { kind: 'link', target: '../outside' })]);
    expect(reasons(answer)).to.deep.equal({ a: 'its content has not arrived', l: 'a link that may lead outside' });
    expect(existsSync(join(root, 'a'))).to.equal(false);
  });

  it('leaves whole files when the disk is full', async function () {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'pipe' });
    } catch {
      return this.skip(); // Only root may mount.
    }
    try {
      mkdirSync(join(disk, 'root'));
      const small = openStaging(join(disk, 'staged'));
      const bytes = Buffer.alloc(300_000, 'x');
      const hash = createHash('sha256').update(bytes).digest('hex');
      expect(() => small.put(hash, bytes)).to.throw(/ENOSPC/);
      expect(small.has(hash)).to.equal(false);
      expect(readdirSync(join(disk, 'staged'))).to.deep.equal([]);
      small.close();
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
