import { expect } from 'chai';
import * as fc from 'fast-check';
import { findSecretContent } from './secret-content.ts';
import { redactText, RULE_NEEDLES } from './secret-text.ts';

const KEY = 'aK9$xQ2!mZ7pL4wR';
const TOKEN = `ghp_${'a1B2c3D4'.repeat(5)}`;

/** Texts around a secret: at the beginning, the end, between long lines, in either kind of line, and none at all. */
const TEXTS = [
  `password: "${KEY}"`,
  `${'x'.repeat(5000)}\nexport API_KEY=${KEY}`,
  `${'pass token secret\n'.repeat(500)}  client_secret: ${KEY}\n${'more\n'.repeat(500)}`,
  `${'y'.repeat(9999)} pwd = '${KEY}' ${'y'.repeat(9999)}`,
  `<Password>${KEY}</Password>\r\n`,
  `a\r\nsecret: ${KEY}\r\nb`,
  TOKEN,
  `${'ä'.repeat(3000)}${'\n'}${TOKEN}`,
  `postgres://alice:${KEY.replace('$', '')}@db/x`,
  'const token = readToken();\npassword: string;\n',
  'eyJ pwd xox sk- ://',
  '',
  'ab',
];

describe('the look at the content of a file', () => {
  for (const text of TEXTS)
    it(`finds what the rules find over the whole text: ${text.slice(0, 30) || 'nothing'}`, () => {
      const kinds = redactText(text).withheld.map(({ kind }) => kind);
      const found = findSecretContent(Buffer.from(text));
      if (kinds.length === 0) expect(found).to.equal(undefined);
      else expect(kinds).to.include(found);
    });

  it('finds each needle wherever it begins', () => {
    for (let before = 0; before < 70; before++)
      expect(findSecretContent(Buffer.from(`${'-'.repeat(before)} ${TOKEN}`))).to.equal('a GitHub token');
  });

  it('finds what the rules find in texts that are made of what they look for', () => {
    const piece = fc.oneof(
      fc.constantFrom(...RULE_NEEDLES.flat()),
      fc.constantFrom(KEY, TOKEN, 'a1B2c3D4'.repeat(4), '\n', '=', ': ', '"', '@', '//', 'x', 'ab', 'é'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const isFound = findSecretContent(Buffer.from(text)) !== undefined;
        expect(isFound, JSON.stringify(text)).to.equal(redactText(text).withheld.length > 0);
      }),
      { numRuns: 3000 },
    );
  });
});
