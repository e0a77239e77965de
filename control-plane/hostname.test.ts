import { expect } from 'chai';
import { assert as check, property, string } from 'fast-check';
import { isReservedLabel, listLabelCandidates, toBoxLabel } from './hostname.ts';

/** RFC 1123 §2.1 and RFC 5891 §4.2.3.1: letters, digits, single dashes inside, no dashes at places 3 and 4. */
const LABEL = /^(?!..--)[a-z]([a-z0-9-]{0,38}[a-z0-9])?$|^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/;

describe('names of boxes', () => {
  for (const [login, label] of [
    ['alice', 'alice'],
    ['Alice-Smith', 'alice-smith'],
    ['a_corporate_user', 'a-corporate-user'],
    ['_acme-challenge', 'acme-challenge'],
    ['-dash-', 'dash'],
    ['xn--alice', 'xn-alice'],
    ['a--b', 'a-b'],
    ['123', 'box-123'],
    ['1.2', 'box'],
    ['ａlice', 'box'],
    ['ſpoq', 'box'],
    ['alice.', 'box'],
    ['<b>', 'box'],
    ['---', 'box'],
    ['', 'box'],
    ['x'.repeat(64), 'x'.repeat(40)],
    [`${'x'.repeat(39)}-y`, 'x'.repeat(39)],
  ] as const)
    it(`makes ${JSON.stringify(label)} of ${JSON.stringify(login)}`, () => {
      expect(toBoxLabel(login)).to.equal(label);
    });

  it('is a label of DNS whatever the login, and so is every candidate', () => {
    check(
      property(string({ unit: 'binary' }), string({ maxLength: 80 }), (wild, tame) => {
        for (const login of [wild, tame]) {
          const label = toBoxLabel(login);
          expect(label).to.match(LABEL);
          for (const candidate of listLabelCandidates(label)) {
            expect(candidate).to.match(LABEL).and.have.length.below(64);
            expect(isReservedLabel(candidate)).to.equal(false);
          }
        }
      }),
    );
  });

  it('never gives a reserved name away, and tries the plain one first', () => {
    for (const name of ['www', 'api', 'mail', 'admin', 'wpad', 'autodiscover', 'localhost', 'mta-sts'])
      expect(listLabelCandidates(toBoxLabel(name)).next().value, name).to.equal(`${name}-2`);
    expect([...listLabelCandidates('alice')].slice(0, 3)).to.deep.equal(['alice', 'alice-2', 'alice-3']);
  });
});
