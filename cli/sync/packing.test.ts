import { expect } from 'chai';
import { createPacking } from './packing.ts';

const MIB = 1024 * 1024;

/** Sends so many requests, two at a time, over a line of `bytesPerMs` where packing leaves a third; answers which were packed. */
function send(requests: number, bytesPerMs: number, packedPerMs: number): boolean[] {
  const packing = createPacking();
  const all: boolean[] = [];
  const underWay: [boolean, number][] = [];
  const finish = (): void => {
    const [packed, bytes] = underWay.shift() ?? [true, 0];
    packing.done(packed, bytes, packed ? bytes / Math.min(packedPerMs, bytesPerMs * 3) : bytes / bytesPerMs);
  };
  for (let at = 0; at < requests; at++) {
    if (underWay.length === 2) finish();
    const packed = packing.choose();
    all.push(packed);
    // The first are small, as a sender's are.
    underWay.push([packed, at < 2 ? MIB / 2 : 8 * MIB]);
  }
  return all;
}

describe('whether contents are packed', () => {
  it('tries both, and goes on with packing where the line is slow', () => {
    const all = send(31, 25_000, 300_000);
    expect(all.slice(0, 4)).to.include(true).and.include(false);
    expect(all.slice(6)).to.not.include(false);
  });

  it('goes on without where the line is faster than packing', () => {
    const all = send(31, 800_000, 300_000);
    expect(all.slice(0, 4)).to.include(true);
    expect(all.slice(6)).to.not.include(true);
  });

  it('tries the slower way again now and then', () => {
    expect(
      send(100, 25_000, 300_000)
        .slice(6)
        .filter((packed) => !packed),
    ).to.have.length(3);
  });

  it('does not judge by small requests that took no time', () => {
    const packing = createPacking();
    for (let at = 0; at < 10; at++) packing.done(packing.choose(), 1000, 1);
    expect([packing.choose(), packing.choose()]).to.have.members([true, false]);
  });
});
