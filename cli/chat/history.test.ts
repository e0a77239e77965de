import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import { loadHistory } from './history.ts';

const KEY = 'ghp_0123456789abcdefghijABCDEFGHIJ456789';

describe('the history of what was typed', () => {
  const noWarning = async (message: string): Promise<void> => expect.fail(message);

  it('is there in the next conversation, several lines too, and only for its owner', async () => {
    await using folder = await createTemporaryFolder();
    const deps = { env: { SPOQ_HOME: join(folder.path, 'home') }, homeFolder: '/nonexistent' };
    const first = await loadHistory(deps, noWarning);
    await first.add('one');
    await first.add('two\nlines');
    await first.add('two\nlines');
    first.remember('not for good');
    expect(first.entries).to.deep.equal(['one', 'two\nlines', 'not for good']);
    expect((await loadHistory(deps, noWarning)).entries).to.deep.equal(['one', 'two\nlines']);
    const path = join(folder.path, 'home', 'history');
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    await chmod(path, 0o644);
    await loadHistory(deps, noWarning);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
  });

  it('keeps no secrets for good, and nothing huge', async () => {
    await using folder = await createTemporaryFolder();
    const deps = { env: { SPOQ_HOME: folder.path }, homeFolder: '/nonexistent' };
    const history = await loadHistory(deps, noWarning);
    await history.add(`what may ${KEY} do?`);
    await history.add('x'.repeat(5000));
    expect(history.entries).to.deep.equal([`what may ${KEY} do?`, 'x'.repeat(5000)]);
    expect((await loadHistory(deps, noWarning)).entries).to.deep.equal([
      'what may [withheld by spoq: looks like a GitHub token] do?',
    ]);
  });

  it('is bounded, and skips what a crash has cut off', async () => {
    await using folder = await createTemporaryFolder();
    const path = join(folder.path, 'history');
    const lines = Array.from({ length: 1001 }, (_, number) => `"${number}"\n`);
    await writeFile(path, `${lines.join('')}"half`);
    const deps = { env: { SPOQ_HOME: folder.path }, homeFolder: '/nonexistent' };
    const { entries } = await loadHistory(deps, noWarning);
    expect([entries.length, entries[0], entries.at(-1)]).to.deep.equal([500, '501', '1000']);
    expect((await readFile(path, 'utf8')).split('\n')).to.have.lengthOf(501);
  });

  it('says once where it cannot be kept, and remembers meanwhile', async () => {
    await using folder = await createTemporaryFolder({ home: 'a file' });
    const warnings: string[] = [];
    const deps = { env: { SPOQ_HOME: join(folder.path, 'home') }, homeFolder: '/nonexistent' };
    const history = await loadHistory(deps, async (message) => void warnings.push(message));
    await history.add('one');
    await history.add('two');
    expect(history.entries).to.deep.equal(['one', 'two']);
    expect(warnings).to.deep.equal([
      `${join(folder.path, 'home', 'history')} cannot be used (ENOTDIR): what you type is remembered until you leave.`,
    ]);
  });
});
