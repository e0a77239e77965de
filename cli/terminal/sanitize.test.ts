import { expect } from 'chai';
import * as fc from 'fast-check';
import { createSanitizer, sanitizeLine, sanitizeText } from './sanitize.ts';

const HOSTILE: [string, string, string][] = [
  ['colours', 'a\u001b[31mred\u001b[0mb', 'aredb'],
  ['cursor movement and clearing', 'a\u001b[2J\u001b[H\u001b[?25lb', 'ab'],
  ['a window title', 'a\u001b]0;owned\u0007b', 'ab'],
  ['a clipboard write that ends in ST', 'a\u001b]52;c;cm0gLXJm\u001b\\b', 'ab'],
  ['a hyperlink', '\u001b]8;;http://x\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['eight-bit introducers', 'a\u009b31mb\u009d0;t\u009cc', 'abc'],
  ['device strings', 'a\u001bPq#0\u001b\\b', 'ab'],
  ['character sets', 'a\u001b(0b', 'ab'],
  ['control characters', 'a\u0000\u0008\u0007\r\n\tb\u007f', 'a\n\tb'],
  ['bidirectional overrides', 'a\u202eb\u2066c\u200fd', 'abcd'],
  ['invisible characters', 'a\u200bb\ufeffc\u{e0041}d', 'abcd'],
  ['an escape that never ends', 'a\u001b]0;swallow\nnext line', 'a\nnext line'],
];

describe('sanitize', () => {
  for (const [name, text, expected] of HOSTILE) {
    it(`removes ${name}, in whatever pieces it comes`, () => {
      expect(sanitizeText(text)).to.equal(expected);
      const sanitizer = createSanitizer();
      const pieces = text.split('').map((unit) => sanitizer.push(unit));
      expect(pieces.join('')).to.equal(expected);
    });
  }

  it('keeps what people write', () => {
    const text = 'naïve 日本語 👩‍💻 — “quotes”\n\ttab\n';
    expect(sanitizeText(text)).to.equal(text);
    const sanitizer = createSanitizer();
    expect(
      text
        .split('')
        .map((unit) => sanitizer.push(unit))
        .join(''),
    ).to.equal(text);
  });

  it('lets no control character through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        expect(sanitizeText(text)).to.not.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  it('puts messages on one line', () => expect(sanitizeLine(' a\n\u001b[1mb\tc ')).to.equal('a b c'));
});
