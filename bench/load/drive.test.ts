import { expect } from 'chai';
import { drive, findPeak, percentile, ratePerSecond } from './drive.ts';
import type { Sample } from './drive.ts';

/** A server that bears so many requests a second at so many at once. */
const bears = (rates: Record<number, number>, asked: number[]) => async (atOnce: number) => {
  asked.push(atOnce);
  return { operations: 0, seconds: 1, times: Array.from({ length: rates[atOnce] ?? 0 }, () => 1) } satisfies Sample;
};

describe('a load', () => {
  it('keeps so many going at once, and counts each request', async () => {
    let going = 0;
    let most = 0;
    const once = async (times: number[]): Promise<void> => {
      most = Math.max(most, ++going);
      await new Promise((resolve) => setImmediate(resolve));
      times.push(1, 2);
      going -= 1;
    };
    const sample = await drive(once, 3, 20);
    expect({ most, going }).to.deep.equal({ most: 3, going: 0 });
    expect(sample.operations).to.be.greaterThan(2);
    expect(sample.times).to.have.length(2 * sample.operations);
    expect(ratePerSecond({ ...sample, seconds: 2 })).to.equal(sample.operations);
  });

  it('ends all loops at the first error, and throws that', async () => {
    let count = 0;
    const once = async (): Promise<void> => {
      count += 1;
      await new Promise((resolve) => setImmediate(resolve));
      if (count >= 5) throw new Error('answered 500');
    };
    let thrown: unknown;
    await drive(once, 4, 60_000).catch((error: unknown) => (thrown = error));
    expect(thrown).to.have.property('message', 'answered 500');
    expect(count).to.be.lessThan(10);
  });

  it('has its peak where more at once gives hardly more', async () => {
    const asked: number[] = [];
    expect(await findPeak(bears({ 4: 100, 8: 190, 16: 198, 32: 195, 64: 170 }, asked))).to.equal(8);
    expect(asked).to.deep.equal([4, 8, 16, 32, 64]);
    asked.length = 0;
    expect(await findPeak(bears({ 4: 100, 8: 200, 16: 150 }, asked))).to.equal(8);
    expect(asked).to.deep.equal([4, 8, 16]);
  });

  it('tells what most requests took, by nearest rank', () => {
    const times = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.5, 0.99, 1].map((share) => percentile(times, share))).to.deep.equal([50, 99, 100]);
    expect(percentile([7], 0.5)).to.equal(7);
    expect(() => percentile([], 0.5)).to.throw('nothing was measured');
  });
});
