import { expect } from 'chai';
import { composeAnswer, countLines } from './answer.ts';
import { createModelInput, createModelMessage } from './conversation.ts';
import { readPrompt } from './prompt.ts';
import { limitAnswer, splitWords } from './stream.ts';

const VENDOR = { name: 'Claude', keyVariable: 'ANTHROPIC_API_KEY' };
const answer = (text: string): string =>
  composeAnswer(createModelInput([createModelMessage('user', { text })]), VENDOR);

describe('the sandbox model', () => {
  it('finds files in tags, marked tags and headed fences, piped text, and takes the rest for the question', () => {
    const text = [
      '<file path="a.ts">\nA\n</file>',
      '<file-1f path="b.ts">\nB </file> still B\n</file-1f>',
      '<stdin-1f>\npiped\n</stdin-1f>',
      '### src/c.py\n```python\nC\n```',
      'Why is this so?\n\nReally?',
    ].join('\n\n');
    expect(readPrompt(text)).to.deep.equal({
      question: 'Why is this so?\n\nReally?',
      files: [
        { path: 'a.ts', content: 'A' },
        { path: 'b.ts', content: 'B </file> still B' },
        { path: 'standard input', content: 'piped' },
        { path: 'src/c.py', content: 'C' },
      ],
    });
    expect(readPrompt('<question>\nWhat?\n</question>')).to.deep.equal({ question: 'What?', files: [] });
  });

  it('says what it is, even when nothing was asked', () => {
    expect(answer('')).to.include("Spoq's sandbox model").and.to.include('the question was empty');
    expect(answer('Hi')).to.include('> Hi').and.to.include('No files came with the question.');
  });

  it('fences a file that has fences in it', () => {
    expect(answer('<file path="R.md">\n```js\n1\n```\n</file>\nQ')).to.include('````md\n```js\n1\n```\n````');
  });

  it('names at most twenty files and quotes at most six lines', () => {
    const files = Array.from({ length: 25 }, (_one, index) => `<file path="f${index}.ts">\n${'x\n'.repeat(9)}</file>`);
    const text = answer(`${files.join('\n')}\n${'line\n'.repeat(9)}`);
    expect(text).to.include('25 files').and.to.include('- and 5 more').and.not.to.include('f20.ts');
    expect(text.match(/^> line$/gm)).to.have.length(6);
    expect(text)
      .to.include('\n> …\n')
      .and.to.match(/```ts\n(?:x\n){6}```/);
  });

  it('splits into words that join to the same text', () => {
    for (const text of ['', ' ', 'a', ' a  b\n\nc ', answer('Hi')]) expect(splitWords(text).join('')).to.equal(text);
    expect(splitWords('one two\n\nthree')).to.deep.equal(['one ', 'two\n\n', 'three']);
  });

  it('ends at a limit or a stop sequence, whichever comes first', () => {
    expect(limitAnswer('abcdefgh', 1, [])).to.deep.equal({ text: 'abcd', ending: { reason: 'length' } });
    expect(limitAnswer('abcdefgh', 1, ['c'])).to.deep.equal({ text: 'ab', ending: { reason: 'stop', sequence: 'c' } });
    expect(limitAnswer('abc', 9, ['', 'x'])).to.deep.equal({ text: 'abc', ending: { reason: 'end' } });
  });

  it('counts lines as editors do', () => {
    expect(['', 'a', 'a\n', 'a\nb'].map(countLines)).to.deep.equal([0, 1, 1, 2]);
  });
});
