import { mkdir, readdir, symlink } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { createRepository, createTemporaryFolder } from '../testing/temporary-folder.ts';
import { collectFiles } from './collect.ts';
import type { CollectedFiles, CollectOptions } from './collect.ts';

const env = { PATH: process.env.PATH };

function collect(cwd: string, options: Partial<CollectOptions> = {}): Promise<CollectedFiles> {
  const defaults = { question: '', named: [], allowed: [], budgetTokens: 60_000, usedTokens: 0, repository: true };
  return collectFiles({ env, cwd }, { ...defaults, ...options });
}

const paths = (collected: CollectedFiles): string[] => collected.files.map((file) => file.path);
const reasons = (collected: CollectedFiles): [string, string][] =>
  collected.left_out.map((one) => [one.path, one.reason]);

describe('collectFiles', () => {
  it('takes tracked files, then untracked ones, and none that are ignored', async () => {
    await using repository = await createRepository({ 'b.ts': 'b', 'a.ts': 'a', '.gitignore': 'out/\n*.log\n' });
    await repository.write({ 'out/x.js': 'x', 'debug.log': 'x', 'new.ts': 'new' });
    expect(await collect(repository.path)).to.deep.equal({
      repository: true,
      images: [],
      files: [
        { path: 'a.ts', content: 'a', bytes: 1, withheld: [] },
        { path: 'b.ts', content: 'b', bytes: 1, withheld: [] },
        { path: '.gitignore', content: 'out/\n*.log\n', bytes: 11, withheld: [] },
        { path: 'new.ts', content: 'new', bytes: 3, withheld: [] },
      ],
      left_out: [],
    });
  });

  it('withholds secret files and lines, and says so', async () => {
    await using repository = await createRepository({
      '.env': 'TOKEN=1',
      'deploy/id_rsa': 'key',
      'config.ts': "export const region = 'eu';\nexport const password = 'k9$Lm2!pQ7z';\n",
    });
    expect(await collect(repository.path)).to.deep.equal({
      repository: true,
      images: [],
      files: [
        {
          path: 'config.ts',
          content:
            "export const region = 'eu';\nexport const password = '[withheld by spoq: looks like a password or key]';\n",
          bytes: 104,
          withheld: [{ kind: 'a password or key', line: 2 }],
        },
      ],
      left_out: [
        { path: '.env', bytes: 7, reason: 'withheld: environment file', named: false, withheld: true },
        { path: 'deploy/id_rsa', bytes: 3, reason: 'withheld: private key', named: false, withheld: true },
      ],
    });
  });

  it('withholds a named .env too, unless it is allowed', async () => {
    await using repository = await createRepository({ '.env': "PASSWORD='k9$Lm2!pQ7z'" });
    const named = [join(repository.path, '.env')];
    expect(await collect(repository.path, { named })).to.deep.equal({
      repository: true,
      images: [],
      files: [],
      left_out: [{ path: '.env', bytes: 22, reason: 'withheld: environment file', named: true, withheld: true }],
    });
    expect(await collect(repository.path, { named, allowed: named })).to.deep.equal({
      repository: true,
      images: [],
      files: [{ path: '.env', content: "PASSWORD='k9$Lm2!pQ7z'", bytes: 22, withheld: [] }],
      left_out: [],
    });
  });

  it('leaves out binaries, large files, empty ones, and what .spoqignore names', async () => {
    await using repository = await createRepository({
      'logo.bin': Buffer.from([1, 2, 0, 3]),
      'latin1.txt': Buffer.from([0x63, 0xe9]),
      'data.csv': 'x'.repeat(256_001),
      'empty.ts': '',
      'private/notes.md': 'n',
      'private/public.md': 'p',
      '.spoqignore': 'private/*\n',
      'private/.spoqignore': '!public.md\n',
      'main.ts': 'm',
    });
    const collected = await collect(repository.path, { budgetTokens: 200_000 });
    expect(paths(collected)).to.deep.equal(['main.ts', '.spoqignore', 'private/public.md']);
    expect(reasons(collected).sort()).to.deep.equal([
      ['data.csv', 'larger than 256 kB'],
      ['empty.ts', 'empty'],
      ['latin1.txt', 'binary'],
      ['logo.bin', 'binary'],
      ['private/.spoqignore', 'ignored by .spoqignore'],
      ['private/notes.md', 'ignored by .spoqignore'],
    ]);
  });

  it('follows no symbolic link out of the repository, however it is made', async () => {
    await using outside = await createTemporaryFolder({ 'secret.txt': 'outside', 'folder/inner.txt': 'outside' });
    await using repository = await createRepository({ 'real.ts': 'real', 'folder/inner.txt': 'inside' });
    await symlink(join(outside.path, 'secret.txt'), join(repository.path, 'link.txt'));
    await symlink('real.ts', join(repository.path, 'alias.ts'));
    await repository.git('add', '-A');
    // A tracked path whose folder became a link.
    execFileSync('rm', ['-r', join(repository.path, 'folder')]);
    await symlink(join(outside.path, 'folder'), join(repository.path, 'folder'));
    const collected = await collect(repository.path, { named: [join(repository.path, 'link.txt')] });
    expect(paths(collected)).to.deep.equal(['real.ts']);
    expect(reasons(collected).sort()).to.deep.equal([
      ['alias.ts', 'a symbolic link'],
      ['folder', 'a symbolic link that leads outside'],
      ['folder/inner.txt', 'a symbolic link that leads outside'],
      ['link.txt', 'a symbolic link that leads outside'],
    ]);
  });

  it('withholds what a harmless name links to', async () => {
    await using repository = await createRepository({ 'keys/id_rsa': 'key' });
    await symlink('keys/id_rsa', join(repository.path, 'notes.txt'));
    const collected = await collect(repository.path, { named: [join(repository.path, 'notes.txt')] });
    expect(reasons(collected)).to.deep.include(['notes.txt', 'withheld: private key']);
    expect(collected.files).to.deep.equal([]);
  });

  it('takes names for names: none is an option of git, a command, or a line of its own', async () => {
    const names = [
      '-oProxyCommand=touch trapped',
      '--help',
      '$(touch trapped)',
      '`touch trapped`',
      'a;touch trapped',
      'a\nb',
    ];
    await using repository = await createRepository(Object.fromEntries(names.map((name) => [name, 'x'])));
    const collected = await collect(repository.path, { named: names.map((name) => join(repository.path, name)) });
    expect(paths(collected).toSorted()).to.deep.equal(names.toSorted());
    expect(await readdir(repository.path)).to.not.include('trapped');
  });

  it('does not wait for a pipe, and skips a repository inside of the repository', async () => {
    await using repository = await createRepository({ 'a.ts': 'a' });
    execFileSync('mkfifo', [join(repository.path, 'pipe')]);
    await mkdir(join(repository.path, 'sub'));
    execFileSync('git', ['init', '-q', join(repository.path, 'sub')]);
    const collected = await collect(repository.path, { named: [join(repository.path, 'pipe')] });
    expect(paths(collected)).to.deep.equal(['a.ts']);
    expect(reasons(collected)[0]).to.deep.equal(['pipe', 'not a regular file']);
  });

  it('keeps to the budget: what does not fit is left out, smaller files go on', async () => {
    await using repository = await createRepository({
      'a.ts': 'x'.repeat(400),
      'b.ts': 'x'.repeat(4000),
      'c.ts': 'x'.repeat(600),
    });
    const collected = await collect(repository.path, { budgetTokens: 300, usedTokens: 20 });
    expect(paths(collected)).to.deep.equal(['a.ts', 'c.ts']);
    expect(reasons(collected)).to.deep.equal([['b.ts', 'over the budget of 300 tokens']]);
  });

  it('sends at most 500 files', async () => {
    const many = Object.fromEntries(Array.from({ length: 503 }, (_, index) => [`f${index}.ts`, 'x']));
    await using repository = await createRepository(many);
    const collected = await collect(repository.path);
    expect(collected.files).to.have.lengthOf(500);
    expect(collected.left_out.map((one) => one.reason)).to.deep.equal(Array(3).fill('more than 500 files'));
  });

  it('expands a named folder outside of git by its .gitignore files', async () => {
    await using folder = await createTemporaryFolder({
      'notes/.gitignore': 'draft*\n',
      'notes/a.md': 'a',
      'notes/draft.md': 'd',
      'notes/deep/b.md': 'b',
      'notes/node_modules/x/index.js': 'x',
      'other.md': 'o',
    });
    const collected = await collect(folder.path, { named: [join(folder.path, 'notes')] });
    expect(paths(collected)).to.deep.equal(['notes/.gitignore', 'notes/a.md', 'notes/deep/b.md']);
  });

  it('sends nothing by itself outside of git', async () => {
    await using folder = await createTemporaryFolder({ 'a.md': 'a' });
    expect(await collect(folder.path)).to.deep.equal({ repository: false, images: [], files: [], left_out: [] });
  });

  it('names files outside of the repository as seen from here', async () => {
    await using repository = await createRepository({ 'app/a.ts': 'a' });
    await using other = await createTemporaryFolder({ 'b.md': 'b' });
    const named = [join(other.path, 'b.md')];
    const collected = await collect(join(repository.path, 'app'), { named });
    expect(collected.files.map((file) => file.content)).to.deep.equal(['b', 'a']);
    expect(paths(collected)[0]).to.match(/^\.\.\/\.\.\/spoq-cli-\w+\/b\.md$/);
  });

  it('runs nothing that the configuration of the repository names', async () => {
    await using repository = await createRepository({ 'a.ts': 'a' });
    const trap = join(repository.path, '.git', 'trapped');
    await repository.git('config', 'core.fsmonitor', `touch ${trap}; false`);
    await collect(repository.path);
    expect(() => execFileSync('test', ['-e', trap])).to.throw();
  });
});

describe('images', () => {
  const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
  const collectNamed = (cwd: string, named: string[], budgetTokens = 60_000): Promise<CollectedFiles> =>
    collect(cwd, { named: named.map((name) => join(cwd, name)), budgetTokens });

  it('go along when they are named, by what they are and not by what they are called', async () => {
    await using folder = await createTemporaryFolder({ 'page.txt': PNG, 'other.png': PNG, 'text.png': 'just words\n' });
    const { images, files } = await collectNamed(folder.path, ['page.txt', 'text.png']);
    expect(images).to.deep.equal([{ path: 'page.txt', media_type: 'image/png', data: PNG, bytes: PNG.length }]);
    expect(files.map(({ path }) => path)).to.deep.equal(['text.png']);
  });

  it('stay here when they are too large, too many, or over the budget', async () => {
    const large = Buffer.concat([PNG, Buffer.alloc(3_750_000)]);
    await using folder = await createTemporaryFolder({
      'large.png': large,
      ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`${n}.png`, PNG])),
    });
    const first = await collectNamed(folder.path, ['large.png', '1.png', '2.png', '3.png', '4.png', '5.png']);
    expect(first.images.map(({ path }) => path)).to.deep.equal(['1.png', '2.png', '3.png', '4.png']);
    expect(first.left_out.map(({ path, reason }) => [path, reason])).to.deep.equal([
      ['large.png', 'an image of more than 3.8 MB'],
      ['5.png', 'more than 4 images'],
    ]);
    const second = await collectNamed(folder.path, ['1.png'], 1000);
    expect(second.left_out.map(({ reason }) => reason)).to.deep.equal([
      'over the budget of tokens: an image takes about 1,600',
    ]);
  });
});
