import { expect } from 'chai';
import { createWordCode, parseWordCode, WORDS } from './word-code.ts';

describe('word codes', () => {
  it('are three words of a list large enough for 38 bits', () => {
    expect(new Set(WORDS).size).to.equal(7772);
    expect(Math.log2(WORDS.length ** 3)).to.be.greaterThan(38.7);
    for (let draw = 0; draw < 500; draw += 1) expect(createWordCode()).to.match(/^[A-Z]{3,9}(-[A-Z]{3,9}){2}$/);
  });

  it('differ from one another', () => {
    expect(new Set(Array.from({ length: 500 }, createWordCode)).size).to.equal(500);
  });

  for (const [typed, parsed] of [
    ['abacus-ablaze-zoom', 'ABACUS-ABLAZE-ZOOM'],
    ['  Abacus  ABLAZE zoom\n', 'ABACUS-ABLAZE-ZOOM'],
    ['abacus – ablaze.zoom', 'ABACUS-ABLAZE-ZOOM'],
    ['abacus-ablaze', undefined],
    ['abacus-ablaze-zoom-zoom', undefined],
    ['abacus-ablaze-zzzz', undefined],
    ['abacus-ablaze-z00m', undefined],
    ['<script>alert(1)</script>', undefined],
    ['', undefined],
  ] as const)
    it(`reads ${JSON.stringify(typed)} as ${parsed}`, () => expect(parseWordCode(typed)).to.equal(parsed));
});
