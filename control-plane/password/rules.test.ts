import { expect } from 'chai';
import { assert as check, property, string } from 'fast-check';
import { loadKnownPasswords } from './known-passwords.ts';
import { findMissedRules, MAX_PASSWORD_BYTES } from './rules.ts';

describe('rules of passwords', () => {
  const known = loadKnownPasswords();
  const missed = (password: string) => findMissedRules(password, known, ['alice-smith', 'spoq']).join(' ');

  for (const [password, rules] of [
    ['Sunflower-lake-71', ''],
    ['correct-horse-9-staple', ''],
    ["pässwörd:' $6$ #12345", ''],
    ['twelve chars 1', ''],
    ["'; mkfs.ext4 /dev/sda #", ''],
    ["'; reboot #", 'length number known'],
    ['Kaffee um 8 Uhr?', ''],
    ['', 'length number special'],
    ['shrtx-1', 'length'],
    ['no number in here!', 'number'],
    ['nospecialcharacter1', 'special'],
    ['Password123!', 'known'],
    ['P@ssw0rd12345!', 'known'],
    ['!!dragon!!123456', 'known'],
    ['1q2w3e4r5t6y!', 'known'],
    ['123456789012!', 'known'],
    ['Letmein-letmein-1!', 'known'],
    ['aaaaaaaaaaa1!', 'known'],
    ['Alice-Smith-2026!', 'known'],
    ['line\nbreak-in-it-1', 'plain'],
    ['nul\u0000-in-it-1234', 'plain'],
    ['half a \ud800 letter 1', 'plain'],
    [`${'x1-y'.repeat(32)}!`, 'size'],
    [`${'x1-y'.repeat(256)}!`, 'size'],
  ] as const)
    it(`misses ${rules === '' ? 'nothing' : rules} in ${JSON.stringify(password.slice(0, 24))}`, () => {
      expect(missed(password)).to.equal(rules);
    });

  it('counts bytes and not letters', () => {
    expect(missed(`${'ä'.repeat(61)}abcd1!`)).to.equal('');
    expect(missed(`${'ä'.repeat(61)}abcde1!`)).to.equal('size');
  });

  it('takes nothing that would not fit a prompt, whatever it is', () => {
    check(
      property(string({ unit: 'binary', maxLength: 200 }), (password) => {
        if (missed(password) !== '') return;
        expect(password).to.match(/^[^\p{Cc}]{12,}$/u);
        expect(Buffer.byteLength(password)).to.be.at.most(MAX_PASSWORD_BYTES);
      }),
    );
  });
});
