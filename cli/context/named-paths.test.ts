import { join } from 'node:path';
import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import { parseWords } from './named-paths.ts';

describe('parseWords', () => {
  it('splits arguments into a question and paths, also inside of the question', async () => {
    await using folder = await createTemporaryFolder({
      'a.ts': '',
      'src/b.ts': '',
      'my notes.md': '',
      'home/n.md': '',
    });
    const at = (path: string): string => join(folder.path, path);
    const words = ['compare', '@a.ts', 'with @src/b.ts, please', '@my notes.md', '@~/n.md', '@a.ts'];
    expect(await parseWords(words, folder.path, at('home'))).to.deep.equal({
      question: 'compare with @src/b.ts, please',
      named: [at('a.ts'), at('my notes.md'), at('home/n.md'), at('src/b.ts')],
      not_found: [],
    });
  });

  it('leaves words with @ in a quoted question alone', async () => {
    const question = '@alice asked: who is @bob of @types/node, mail me@example.com';
    expect(await parseWords([question], '/nonexistent', '/')).to.deep.equal({ question, named: [], not_found: [] });
  });

  it('tells what is written like a file in the question and is not there', async () => {
    const question = 'does @lib/add.ts use (@sum.ts)? @sum.ts, @~/notes.md';
    expect(await parseWords([question], '/nonexistent', '/')).to.deep.equal({
      question,
      named: [],
      not_found: ['lib/add.ts', 'sum.ts', '~/notes.md'],
    });
  });

  it('names every path that is not there, at once', async () => {
    const error = await parseWords(['why', '@x.ts', '@y.ts'], '/nonexistent', '/').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(SpoqError).and.include({ code: 'invalid_request', exit: 64 });
    expect((error as SpoqError).faults).to.deep.equal([
      { field: '@x.ts', message: 'there is no such file or folder' },
      { field: '@y.ts', message: 'there is no such file or folder' },
    ]);
  });
});
