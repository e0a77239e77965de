import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { createMarkdownRenderer } from './markdown.ts';
import { measureWidth } from './width.ts';

function render(markdown: string, columns = 40, pieces: string[] = [markdown]): string {
  const renderer = createMarkdownRenderer(() => columns);
  return pieces.map((piece) => renderer.push(piece)).join('') + renderer.end();
}

const B = ['\u001b[1m', '\u001b[22m'] as const;
const I = ['\u001b[3m', '\u001b[23m'] as const;
const C = ['\u001b[36m', '\u001b[39m'] as const;
const D = ['\u001b[2m', '\u001b[22m'] as const;

const CASES: [string, string, string][] = [
  ['a heading', '## Why **it** is\n', `${B[0]}Why it is${B[1]}\n`],
  [
    'emphasis',
    'a **b c** *d* _e_ ***f***\n',
    `a ${B[0]}b c${B[1]} ${I[0]}d${I[1]} ${I[0]}e${I[1]} ${I[0]}${B[0]}f${I[1]}${B[1]}\n`,
  ],
  ['code', 'run `npm test` now\n', `run ${C[0]}npm test${C[1]} now\n`],
  ['code that holds marks', '`a * b_c` ``x`y``\n', `${C[0]}a * b_c${C[1]} ${C[0]}x\`y${C[1]}\n`],
  ['marks that are none', '2 * 3 snake_case_name a*b \\*no\\* **\n', '2 * 3 snake_case_name a*b *no* **\n'],
  ['what is never closed', '**open\nnext\n', `${B[0]}open${B[1]}\nnext\n`],
  ['lists', '- one\n  * two\n1. three\n12) four\n', '• one\n  • two\n1. three\n12) four\n'],
  ['a quote', '> said\n', `${D[0]}│ ${D[1]}said\n`],
  ['a rule', 'a\n\n---\nb\n', `a\n\n${D[0]}${'─'.repeat(40)}${D[1]}\nb\n`],
  [
    'a fence, with what would be markdown in it',
    '```ts\n# no\n**no** `x`\n\n``\n```\nafter\n',
    `${D[0]}\`\`\`ts${D[1]}\n${C[0]}# no${C[1]}\n${C[0]}**no** \`x\`${C[1]}\n\n${C[0]}\`\`${C[1]}\n${D[0]}\`\`\`${D[1]}\nafter\n`,
  ],
  ['a fence that is never closed', '~~~\ncode', `${D[0]}~~~${D[1]}\n${C[0]}code${C[1]}\n`],
  [
    'a table',
    '| a | b |\n|---|:-:|\n| `1` | two |\nend\n',
    `${B[0]}a │ b${B[1]}\n──┼────\n${C[0]}1${C[1]} │ two\nend\n`.replace('a │ b', 'a │ b'),
  ],
  [
    'a table that does not fit',
    '| name | what it is for |\n|---|---|\n| one | a text that is longer than a phone is wide |\n| two | `code` |\n',
    `${B[0]}name:${B[1]} one\n${B[0]}what it is for:${B[1]} a text that is longer\nthan a phone is wide\n\n` +
      `${B[0]}name:${B[1]} two\n${B[0]}what it is for:${B[1]} ${C[0]}code${C[1]}\n`,
  ],
  [
    'words that begin like blocks',
    '#tag\n--flag\n**bold** start\n1998 was\n',
    `#tag\n--flag\n${B[0]}bold${B[1]} start\n1998 was\n`,
  ],
  ['text without a last line break', 'end', 'end\n'],
];

describe('createMarkdownRenderer', () => {
  for (const [name, markdown, expected] of CASES) {
    it(`renders ${name}, in whatever pieces it comes`, () => {
      expect(render(markdown)).to.equal(expected);
      expect(render(markdown, 40, [...markdown])).to.equal(expected);
    });
  }

  it('wraps at words, and hangs below lists and quotes', () => {
    expect(render('- one two three four five\n\n> six seven eight nine ten\n', 20)).to.equal(
      `• one two three four\n  five\n\n${D[0]}│ ${D[1]}six seven eight\n│ nine ten\n`,
    );
  });

  it('shows a word as soon as it is complete', () => {
    const renderer = createMarkdownRenderer(() => 40);
    expect(renderer.push('The first')).to.equal('The');
    expect(renderer.push(' word is ')).to.equal(' first word is');
  });

  it('shows code line by line while it comes', () => {
    const renderer = createMarkdownRenderer(() => 40);
    renderer.push('```\n');
    expect(renderer.push('const a')).to.equal(`${C[0]}const a`);
  });

  it('wraps wide characters, which have no spaces between them', () => {
    expect(render('日本語'.repeat(5), 20)).to.equal(`${'日本語日本語日本語日'}\n本語日本語\n`);
  });

  const piece = fc.oneof(
    fc.constantFrom(
      '\n',
      '\n\n',
      ' ',
      '**',
      '*',
      '_',
      '`',
      '```',
      '# ',
      '- ',
      '> ',
      '| a | b |',
      '|---|',
      '1. ',
      '~~~',
      '---',
      '\\',
      '日本',
    ),
    // oxlint-disable-next-line no-control-regex -- the renderer is given sanitized text
    fc.string({ maxLength: 8 }).map((text) => text.replace(/[\u0000-\u001f\u007f]/g, '')),
  );
  const markdown = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''));

  it('renders the same however the text was cut', () => {
    fc.assert(
      fc.property(markdown, fc.array(fc.nat(12)), (text, cuts) => {
        const chars = [...text];
        const pieces = [...cuts.map((size) => chars.splice(0, size).join('')), chars.join('')];
        expect(render(text, 40, pieces)).to.equal(render(text, 40));
      }),
      { numRuns: 500 },
    );
  });

  it('closes every style it opens, and loses no letter', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        const rendered = render(text, 40);
        for (const [on, off] of [
          [3, 23],
          [36, 39],
        ] as const) {
          const open = rendered.split(`\u001b[${on}m`).length;
          expect(rendered.split(`\u001b[${off}m`).length).to.equal(open);
        }
        const letters = (of: string): string => of.replace(/[^\p{L}\d]/gu, '');
        expect(letters(stripVTControlCharacters(rendered))).to.equal(letters(text));
      }),
      { numRuns: 500 },
    );
  });

  it('keeps prose within 40 columns', () => {
    const prose = fc.array(fc.constantFrom('a', 'word', '**bold**', '`code`', '日本語', 'longer-word', '*x*'), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(prose, fc.constantFrom('', '- ', '> ', '1. '), (words, lead) => {
        const lines = stripVTControlCharacters(render(`${lead}${words.join(' ')}\n`, 40)).split('\n');
        expect(Math.max(...lines.map(measureWidth))).to.be.at.most(40);
      }),
    );
  });
});
