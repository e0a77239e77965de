import { expect } from 'chai';
import { describeBrowser, formatMinute } from './browsers.ts';

describe('a browser in plain words', () => {
  const webkit = 'AppleWebKit/605.1.15 (KHTML, like Gecko)';
  for (const [agent, words] of [
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/140.0 Safari/537.36 Edg/140.0`, 'Edge on Windows'],
    [`Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) ${webkit} Version/18.0 Safari/604.1`, 'Safari on iPhone'],
    [`Mozilla/5.0 (Linux; Android 15) ${webkit} Chrome/140.0 Mobile Safari/537.36`, 'Chrome on Android'],
    [`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${webkit} Version/18.0 Safari/605.1.15`, 'Safari on macOS'],
    ['node', 'A browser we do not know'],
    [null, 'A browser we do not know'],
  ] as const)
    it(`says ${words} of ${agent?.slice(0, 40) ?? 'nothing'}`, () => {
      expect(describeBrowser(agent)).to.equal(words);
    });

  it('shows a moment to the minute', () => {
    expect(formatMinute(new Date('2026-11-26T08:05:59.999Z'))).to.equal('2026-11-26 08:05 UTC');
  });
});
