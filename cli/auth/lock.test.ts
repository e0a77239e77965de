import { mkdir, readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import { withFileLock } from './lock.ts';

describe('withFileLock', () => {
  it('lets one in at a time and leaves nothing behind', async () => {
    await using folder = await createTemporaryFolder();
    let inside = 0;
    const most: number[] = [];
    const work = async (): Promise<void> => {
      most.push(++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all([1, 2, 3].map(() => withFileLock(join(folder.path, 'file'), work)));
    expect(most).to.deep.equal([1, 1, 1]);
    expect(await readdir(folder.path)).to.deep.equal([]);
  });

  it('takes over from a process that was killed', async () => {
    await using folder = await createTemporaryFolder();
    const lock = join(folder.path, 'file.lock');
    await mkdir(lock);
    await utimes(lock, new Date('2020-01-01'), new Date('2020-01-01'));
    expect(await withFileLock(join(folder.path, 'file'), () => Promise.resolve('in'))).to.equal('in');
  });

  it('releases after a failure', async () => {
    await using folder = await createTemporaryFolder();
    const error = new Error('inside');
    const run = withFileLock(join(folder.path, 'file'), () => Promise.reject(error));
    expect(await run.catch((thrown: unknown) => thrown)).to.equal(error);
    expect(await readdir(folder.path)).to.deep.equal([]);
  });

  it('says when the folder cannot be used', async () => {
    await using folder = await createTemporaryFolder({ file: 'not a folder' });
    const error = await withFileLock(join(folder.path, 'file', 'credentials'), () => Promise.resolve()).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).to.include({ code: 'file_unusable' });
  });
});
