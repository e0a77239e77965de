import { lstat, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import type { ChangedFile } from '../../contract/run.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import type { TemporaryFolder } from '../testing/temporary-folder.ts';
import { applyChanges } from './apply.ts';
import type { Applied } from './apply.ts';
import { hashBlob } from './plan.ts';

const FILE = 0o100644;

describe('taking over what a run has changed', () => {
  let folder: TemporaryFolder;
  let objects: Map<string, Uint8Array>;
  const deps = createTestDeps();

  beforeEach(async () => {
    folder = await createTemporaryFolder();
    objects = new Map();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  const keep = (text: string | null): string | null => {
    if (text === null) return null;
    const object = hashBlob(Buffer.from(text), 40);
    objects.set(object, Buffer.from(text));
    return object;
  };
  function change(path: string, base: string | null, next: string | null, mode = FILE): ChangedFile {
    return {
      path,
      kind: base === null ? 'added' : next === null ? 'removed' : 'changed',
      mode: next === null ? 0 : mode,
      base_mode: base === null ? 0 : FILE,
      object: keep(next),
      base_object: keep(base),
      added_lines: null,
      removed_lines: null,
    };
  }
  const read = (object: string): Promise<Uint8Array> => {
    const content = objects.get(object);
    return content === undefined ? Promise.reject(new Error(object)) : Promise.resolve(content);
  };
  const apply = (...changes: ChangedFile[]): Promise<Applied[]> => applyChanges(deps, folder.path, changes, read);
  const text = (path: string): Promise<string | undefined> =>
    readFile(join(folder.path, path), 'utf8').catch(() => undefined);

  // What was there, what is here, what the box has; then what becomes of it.
  const lines = 'one\ntwo\nthree\nfour\nfive\nsix\nseven\n';
  const above = lines.replace('one', 'ONE');
  const below = lines.replace('seven', 'SEVEN');
  for (const [what, base, here, next, action, result] of [
    ['a new file', null, null, 'new', 'take', 'new'],
    ['a new file that is here already', null, 'new', 'new', 'same', 'new'],
    ['a change', 'a', 'a', 'b', 'take', 'b'],
    ['a change that is here already', 'a', 'b', 'b', 'same', 'b'],
    ['a removal', 'a', 'a', null, 'remove', undefined],
    ['a removal that is done', 'a', null, null, 'same', undefined],
    ['changes at two ends of a text', lines, above, below, 'merge', above.replace('seven', 'SEVEN')],
    ['two changes of one line', 'a\n', 'b\n', 'c\n', 'conflict', 'b\n'],
    ['two new files of one name', null, 'b\n', 'c\n', 'conflict', 'b\n'],
    ['a removal of what was changed here', 'a', 'b', null, 'conflict', 'b'],
    ['a change of what was removed here', 'a', null, 'b', 'conflict', undefined],
    ['changes of what is no text', 'a\0', 'b\0', 'c\0', 'conflict', 'b\0'],
  ] as const) {
    it(`knows ${what}`, async () => {
      if (here !== null) await folder.write({ 'dir/a.txt': here });
      const one = change('dir/a.txt', base, next);
      const [applied] = await apply(one);
      expect(applied?.action).to.equal(action);
      expect(await text('dir/a.txt')).to.equal(result);
      if (action === 'conflict' && next !== null) {
        expect(applied?.kept).to.equal('dir/a.txt.from-box');
        expect(await text('dir/a.txt.from-box')).to.equal(next);
      }
      // Once more changes nothing more.
      const again = await apply(one);
      expect(await text('dir/a.txt')).to.equal(result);
      if (action !== 'merge' && action !== 'conflict') expect(again[0]?.action).to.equal('same');
      if (action === 'conflict' && next !== null) expect(await text('dir/a.txt.from-box-2')).to.equal(undefined);
    });
  }

  it('takes modes and links, and folders that become empty go', async () => {
    await folder.write({ 'run.sh': 'x', 'old/a': 'a' });
    const links = change('link', null, 'run.sh', 0o120000);
    await apply(change('run.sh', 'x', 'x', 0o100755), links, change('old/a', 'a', null));
    expect((await stat(join(folder.path, 'run.sh'))).mode & 0o111).to.equal(0o111);
    expect(await readlink(join(folder.path, 'link'))).to.equal('run.sh');
    expect(await lstat(join(folder.path, 'old')).catch(() => 'gone')).to.equal('gone');
  });

  it('leaves what is saved while it works, and keeps both', async () => {
    await folder.write({ a: 'a', b: 'b' });
    const second = change('b', 'b', 'b2');
    const last = change('c', null, 'c');
    const applied = await applyChanges(deps, folder.path, [second, last], async (object) => {
      // After the look at b, before its turn.
      if (object === last.object) await writeFile(join(folder.path, 'b'), 'mine');
      return read(object);
    });
    expect(applied.map(({ action }) => action)).to.deep.equal(['conflict', 'take']);
    expect([await text('b'), await text('b.from-box')]).to.deep.equal(['mine', 'b2']);
  });

  for (const [path, why] of [
    ['../out', 'leads out of the folder'],
    ['/etc/passwd', 'leads out of the folder'],
    ['a/../../b', 'leads out of the folder'],
    ['C:x', 'leads out of the folder'],
    ['a\\..\\b', 'leads out of the folder'],
    ['.git/hooks/pre-commit', 'belongs to git'],
    ['sub/.GIT/config', 'belongs to git'],
    ['.g\u200cit/config', 'belongs to git'],
    ['git~1/config', 'belongs to git'],
    ['.git. /config', 'belongs to git'],
    ['.git::$INDEX_ALLOCATION/config', 'belongs to git'],
    ['way/x', 'goes through the link way'],
    ['file/x', 'goes through file, which is no folder'],
  ] as const) {
    it(`writes nothing when there is ${JSON.stringify(path)}`, async () => {
      await folder.write({ file: 'x' });
      await symlink('/tmp', join(folder.path, 'way'));
      const failure = await apply(change('good', null, 'x'), change(path, null, 'x')).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(SpoqError);
      expect((failure as SpoqError).faults).to.deep.equal([{ field: path, message: why }]);
      expect(await text('good')).to.equal(undefined);
    });
  }

  for (const target of ['/etc/passwd', '../../x', '.git/config']) {
    it(`takes no link to ${target}`, async () => {
      const failure = await apply(change('dir/link', null, target.replace('.git', '../.git'), 0o120000)).catch(
        (error: unknown) => error,
      );
      expect((failure as SpoqError).faults[0]?.message).to.match(
        /^is a link (?:that leads out|to what belongs to git)/,
      );
    });
  }

  it('takes nothing but what was asked for', async () => {
    const one = change('a', null, 'x');
    objects.set(one.object ?? '', Buffer.from('something else'));
    const failure = await apply(one).catch((error: unknown) => error);
    expect((failure as SpoqError).code).to.equal('box_unreachable');
    expect(await text('a')).to.equal(undefined);
  });

  it('goes on where it was cut off', async () => {
    await folder.write({ a: 'a' });
    const changes = [change('a', 'a', 'b'), change('c', null, 'c')];
    await apply(...changes.slice(0, 1));
    expect((await apply(...changes)).map(({ action }) => action)).to.deep.equal(['same', 'take']);
  });
});
