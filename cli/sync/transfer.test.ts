import { expect } from 'chai';
import { cutBatches } from './transfer.ts';

const MIB = 1024 * 1024;
const content = (file: string, size: number, offset = 0) => ({ hash: file, file, size, offset });

describe('contents in batches', () => {
  const cut = (contents: Parameters<typeof cutBatches>[0], size: number): [string, number, number][][] =>
    [...cutBatches(contents, () => size)].map(({ parts }) =>
      parts.map(({ content: { file, offset }, end }) => [file, offset, end]),
    );

  it('has an empty file wherever it stands, behind a full batch, too', () => {
    expect(cut([content('none', 0), content('full', 10), content('empty', 0), content('more', 1)], 10)).to.deep.equal([
      [
        ['none', 0, 0],
        ['full', 0, 10],
      ],
      [
        ['empty', 0, 0],
        ['more', 0, 1],
      ],
    ]);
  });

  it('cuts a large file, and goes on where it was cut before', () => {
    expect(cut([content('large', 3 * MIB + 7, MIB), content('next', 5)], 10)).to.deep.equal([
      [['large', MIB, 2 * MIB]],
      [['large', 2 * MIB, 3 * MIB]],
      [
        ['large', 3 * MIB, 3 * MIB + 7],
        ['next', 0, 5],
      ],
    ]);
  });

  it('ends a batch of many small files', () => {
    const many = Array.from({ length: 4001 }, (_, at) => content(`f${at}`, 0));
    expect(cut(many, MIB).map((batch) => batch.length)).to.deep.equal([4000, 1]);
  });
});
