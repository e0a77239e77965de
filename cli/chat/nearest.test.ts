import { expect } from 'chai';
import { findNearest } from './nearest.ts';

describe('the nearest name', () => {
  const names = ['help', 'new', 'sessions', 'resume', 'model', 'files', 'status', 'quit'];

  it('is what begins so, or what differs little', () => {
    const found = ['se', 'seesions', 'stauts', 'qiut', 'halp', 'models', 'xyz', 'n', '', 'exit'].map((word) =>
      findNearest(word, names),
    );
    expect(found).to.deep.equal([
      'sessions',
      'sessions',
      'status',
      'quit',
      'help',
      'model',
      undefined,
      'new',
      undefined,
      'quit',
    ]);
  });
});
