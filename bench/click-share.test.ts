import { expect } from 'chai';
import { restOfClick, shareOfClick, splitWay } from './click-share.ts';
import type { ProgressLine } from './click-share.ts';

describe('the share of a click', () => {
  it('is what neither vendor, machine nor engine needs, round by round', () => {
    const row = {
      provider: 'contabo' as const,
      click: [10_000, 20_000],
      vendor_ms: 4000,
      boot: [4000, 12_000],
      engine: [1000, 2000],
      steps: {},
    };
    expect(restOfClick(row)).to.deep.equal([1000, 2000]);
    expect(shareOfClick(row)).to.deep.equal({ median: 0.1, min: 0.1, max: 0.1, count: 2 });
  });

  it('is split by what the customer is told', () => {
    const line = (step: ProgressLine['step'], state: string, at: number, part: ProgressLine['part'] = null) => {
      return { step, state, part, at: new Date(at) };
    };
    const lines = [
      line('queued', 'started', 1010),
      line('queued', 'done', 1050),
      line('keys', 'done', 1200),
      line('machine', 'started', 1250),
      line('machine', 'done', 5000),
      line('address', 'done', 5100),
      line('box', 'progress', 6000, { step: 'caddy', state: 'started' }),
      line('box', 'done', 9000),
      line('box', 'progress', 9010, { step: 'caddy', state: 'done' }),
      line('ready', 'done', 9100),
    ];
    const took = Object.values(splitWay(1000, lines));
    expect(took).to.deep.equal([50, 200, 3750, 100, 3910, 0, 90]);
    expect(took.reduce((sum, ms) => sum + ms)).to.equal(9100 - 1000);
    const unreported = lines.filter(({ part }) => part === null);
    expect(Object.values(splitWay(1000, unreported))).to.deep.equal([50, 200, 3750, 100, 0, 3900, 100]);
  });
});
