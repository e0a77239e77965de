import { expect } from 'chai';
import { findLinkFault, findPathFault, foldName } from './names.ts';

describe('names that come from the other side', () => {
  const refused: Record<string, string> = {
    '': 'an empty name',
    '../x': 'a path that is not plain',
    'a/../../x': 'a path that is not plain',
    'a/./b': 'a path that is not plain',
    'a//b': 'a path that is not plain',
    '/etc/passwd': 'a path that is not plain',
    'a/': 'a path that is not plain',
    'C:/x': 'a name that begins like a drive',
    'C:': 'a name that begins like a drive',
    'a\\b': 'a name with a slash or backslash',
    'a\0b': 'a name with a NUL',
    'x\ud800': 'a name that is not Unicode',
    '.git/hooks/post-checkout': 'a git folder',
    'sub/.GIT/config': 'a git folder',
    '.g\u200cit/config': 'a git folder',
    'git~1/config': 'a git folder',
    '.git. /config': 'a git folder',
    '.git::$INDEX_ALLOCATION/config': 'a git folder',
    '\uff0egit/config': 'a git folder',
  };
  for (const [path, fault] of Object.entries(refused))
    it(`refuses ${JSON.stringify(path)}`, () => expect(findPathFault(path)).to.equal(fault));

  it('refuses what is too long', () => {
    expect(findPathFault(`${'a/'.repeat(2048)}b`)).to.equal('a path of more than 4096 bytes');
    expect(findPathFault('é'.repeat(128))).to.equal('a name of more than 255 bytes');
    expect(findPathFault('é'.repeat(127))).to.equal(undefined);
  });

  it('takes what projects have', () => {
    for (const path of [
      'a',
      '.gitignore',
      '.github/x.yml',
      'gitx',
      '..a/b..',
      'a b/ü.txt',
      '日本/語',
      'git~',
      '.gitmodules',
      '-x',
      '...',
    ])
      expect(findPathFault(path), path).to.equal(undefined);
  });

  it('takes links that stay inside, and no others', () => {
    const inside = [
      ['a', 'b'],
      ['a/b', '../c'],
      ['a/b/c', '../../d/e'],
      ['a', './b'],
      ['a/b', '..'],
    ];
    for (const [path = '', target = ''] of inside)
      expect(findLinkFault(path, target), `${path} ${target}`).to.equal(undefined);
    const outside = [
      ['a', '..'],
      ['a', '../b'],
      ['a/b', '../../c'],
      ['a', '/etc/passwd'],
      ['a', 'C:\\x'],
      ['a', 'm/../..'],
      ['a', 'x\0'],
      ['a', ''],
      ['a', '.git/config'],
    ];
    for (const [path = '', target = ''] of outside)
      expect(findLinkFault(path, target), `${path} ${target}`).to.be.a('string');
  });

  it('tells twins as file systems see them', () => {
    expect(foldName('Ä.txt', { case: false, unicode: true })).to.equal('ä.txt');
    expect(foldName('A\u0308.txt', { case: true, unicode: false })).to.equal('Ä.txt');
    expect(foldName('A.txt', { case: true, unicode: true })).to.equal('A.txt');
  });
});
