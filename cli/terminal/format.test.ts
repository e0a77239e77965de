import { expect } from 'chai';
import { formatBytes, formatCount, formatSeconds } from './format.ts';
import { measureWidth } from './width.ts';

describe('format', () => {
  it('writes bytes as people do', () => {
    const sizes = [0, 999, 1000, 9949, 61_234, 999_600, 1_234_567, 8_000_000_000];
    expect(sizes.map(formatBytes)).to.deep.equal([
      '0 B',
      '999 B',
      '1.0 kB',
      '9.9 kB',
      '61 kB',
      '1.0 MB',
      '1.2 MB',
      '8.0 GB',
    ]);
  });
  it('writes durations in two units at most', () => {
    const times = [-1, 0, 59.9, 60, 3599, 3600 * 3 + 720, 86_400 * 5 + 7200];
    expect(times.map(formatSeconds)).to.deep.equal(['0 s', '0 s', '59 s', '1 min', '59 min', '3 h 12 min', '5 d 2 h']);
  });
  it('counts', () => expect([1, 14].map((count) => formatCount(count, 'file'))).to.deep.equal(['1 file', '14 files']));
  it('measures columns', () =>
    expect(['abc', '日本', 'é', 'e\u0301', '👍'].map(measureWidth)).to.deep.equal([3, 4, 1, 1, 2]));
});
