import { expect } from 'chai';
import * as fc from 'fast-check';
import { trimLog } from './trim-log.ts';

describe('trimLog', () => {
  it('keeps the last lines, and no more of each than a page shows', () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);
    expect(trimLog(lines.join('\n'))).to.deep.equal(lines.slice(-12));
    expect(trimLog(`\n\n${'x'.repeat(300)}\n`)).to.deep.equal([`${'x'.repeat(199)}…`]);
    expect(trimLog('')).to.deep.equal([]);
  });

  it('shows nothing that a terminal would have obeyed', () => {
    expect(trimLog('\u001b[1;31mred\u001b[0m\u001b]0;title\u0007 \u202eback\u0000\r\nnext\tone')).to.deep.equal([
      'red back',
      'next one',
    ]);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 500 }), (text) => {
        for (const line of trimLog(text)) expect(line).not.to.match(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  it('shows no keys, hashes and tokens', () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----';
    expect(
      trimLog(`a\n${key}\nspoq:$6$salt$abcdefghijkl/x:1\nAuthorization: Bearer abc\nsk-ant-abcdefgh1`),
    ).to.deep.equal(['a', '[secret]', 'spoq:[secret]:1', 'Authorization: Bearer [secret]', '[secret]']);
    expect(trimLog('-----BEGIN RSA PRIVATE KEY-----\ncut off')).to.deep.equal(['[secret]']);
  });
});
