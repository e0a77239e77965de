import { expect } from 'chai';
import { parseForm } from './form.ts';

describe('the form encoding of Stripe', () => {
  const parse = (text: string): unknown => parseForm(new URLSearchParams(text));

  it('reads groups, lists and lists of groups', () => {
    expect(parse('a=1&b[c]=2&b[d][e]=3&l[]=4&l[]=5&m[0][x]=6&m[1][x]=7&m[1][y]=8&a=9')).to.deep.equal({
      a: '9',
      b: { c: '2', d: { e: '3' } },
      l: ['4', '5'],
      m: [{ x: '6' }, { x: '7', y: '8' }],
    });
  });

  it('keeps numbered keys that are no list, and survives nonsense', () => {
    expect(parse('a[5]=x&[=1&]=2&b[=3')).to.deep.include({ a: { 5: 'x' } });
    expect(parse('')).to.deep.equal({});
  });

  it("can't reach a prototype", () => {
    parse('__proto__[polluted]=1&a[__proto__][polluted]=1&constructor[prototype][polluted]=1');
    expect(({} as { polluted?: string }).polluted).to.equal(undefined);
  });
});
