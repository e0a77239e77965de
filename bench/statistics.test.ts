import { expect } from 'chai';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';

describe('statistics', () => {
  it('gives the median of odd and even rows, with the range', () => {
    expect(summarize([5, 1, 3])).to.deep.equal({ median: 3, min: 1, max: 5, count: 3 });
    expect(summarize([4, 1, 3, 2])).to.deep.equal({ median: 2.5, min: 1, max: 4, count: 4 });
    expect(() => summarize([])).to.throw('nothing was measured');
  });

  it('takes ratios round by round', () => {
    expect(summarizeRatio([1, 10, 3], [2, 10, 12])).to.deep.equal({ median: 0.5, min: 0.25, max: 1, count: 3 });
    expect(formatSummary({ median: 0.5, min: 0.25, max: 1, count: 3 }, 2)).to.equal('0.50 (0.25..1.00)');
  });
});
