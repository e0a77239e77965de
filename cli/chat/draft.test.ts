import { expect } from 'chai';
import * as fc from 'fast-check';
import { createDraft, splitCharacters } from './draft.ts';
import type { Draft } from './draft.ts';
import { createEditor } from './edits.ts';
import { LEAD, layOut } from './layout.ts';
import { measureWidth } from '../terminal/width.ts';
import * as moves from './draft.ts';

/** `|` is the cursor. */
function parse(shown: string): Draft {
  return { text: shown.replace('|', ''), cursor: shown.indexOf('|') };
}

function show({ text, cursor }: Draft): string {
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
}

describe('a draft', () => {
  const edit = createEditor();
  const press = (shown: string, ...names: string[]): string => {
    let draft = parse(shown);
    for (const combination of names) {
      const parts = combination.split('+');
      const key = { name: parts.at(-1), text: '', ctrl: parts.includes('ctrl'), meta: parts.includes('meta') };
      draft = edit(draft, key) ?? draft;
    }
    return show(draft);
  };

  it('is edited as in a shell', () => {
    expect(press('one tw|o', 'left')).to.equal('one t|wo');
    expect(press('one tw|o', 'right', 'right')).to.equal('one two|');
    expect(press('one, two|', 'meta+b')).to.equal('one, |two');
    expect(press('|one, two', 'ctrl+right', 'meta+f')).to.equal('one, two|');
    expect(press('one\ntw|o', 'home')).to.equal('one\n|two');
    expect(press('o|ne\ntwo', 'ctrl+e')).to.equal('one|\ntwo');
    expect(press('one\n|two', 'backspace')).to.equal('one|two');
    expect(press('one|\ntwo', 'delete')).to.equal('one|two');
    expect(press('|', 'backspace', 'delete', 'left', 'right', 'ctrl+w', 'ctrl+k')).to.equal('|');
  });

  it('puts in again what was cut', () => {
    expect(press('one two|', 'ctrl+w')).to.equal('one |');
    expect(press('one |', 'ctrl+y', 'ctrl+y')).to.equal('one twotwo|');
    expect(press('one| two\nx', 'ctrl+k', 'home', 'ctrl+y')).to.equal(' two|one\nx');
    expect(press('one| two', 'ctrl+u', 'end', 'ctrl+y')).to.equal(' twoone|');
    expect(press('|one two', 'meta+d')).to.equal('| two');
  });

  it('takes what a person sees as one character for one', () => {
    expect(press('a👨‍👩‍👧|', 'left')).to.equal('a|👨‍👩‍👧');
    expect(press('a👨‍👩‍👧|', 'backspace')).to.equal('a|');
    expect(press('|é', 'delete')).to.equal('|');
  });

  it('goes up and down between its lines', () => {
    expect(moves.goUp(parse('日本語\nabc|'))).to.deep.equal(parse('日本語|\nabc'));
    expect(moves.goDown(parse('abc|\nx\nabcd'))).to.deep.equal(parse('abc\nx|\nabcd'));
    expect(moves.goUp(parse('abc|'))).to.equal(undefined);
    expect(moves.goDown(parse('a\nbc|'))).to.equal(undefined);
  });

  it('stays between whole characters, whatever is pressed', () => {
    const names = [
      'left',
      'right',
      'home',
      'end',
      'backspace',
      'delete',
      'ctrl+w',
      'ctrl+k',
      'ctrl+u',
      'ctrl+y',
      'meta+b',
    ];
    const texts = fc.array(fc.constantFrom('a', ' ', '\n', '日', '👨‍👩‍👧', 'é', '\t'), { maxLength: 30 });
    fc.assert(
      fc.property(texts, fc.array(fc.constantFrom(...names), { maxLength: 20 }), (parts, keys) => {
        const draft = parse(press(`${parts.join('')}|`, ...keys));
        const ends = new Set([0, ...[...splitCharacters(draft.text)].map(({ at, text }) => at + text.length)]);
        expect(ends.has(draft.cursor), show(draft)).to.equal(true);
      }),
    );
  });
});

describe('the layout of a draft', () => {
  it('breaks it where the window ends, wide characters before', () => {
    expect(layOut(createDraft('abcdefgh'), 8)).to.deep.equal({ rows: ['> abcde', '  fgh'], row: 1, column: 5 });
    expect(layOut({ text: 'ab日本', cursor: 3 }, 8)).to.deep.equal({ rows: ['> ab日', '  本'], row: 1, column: 2 });
    expect(layOut(createDraft('a\n\tb'), 20)).to.deep.equal({ rows: ['> a', '      b'], row: 1, column: 7 });
    expect(layOut(createDraft(''), 8)).to.deep.equal({ rows: [LEAD], row: 0, column: 2 });
  });

  it('is never wider than the window, and loses nothing', () => {
    const texts = fc.array(fc.constantFrom('a', 'b', ' ', '\n', '日', '👍'), { maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 6, max: 40 }), fc.nat(), (parts, columns, at) => {
        const cursor = parts.slice(0, at % (parts.length + 1)).join('').length;
        const { rows, row, column } = layOut({ text: parts.join(''), cursor }, columns);
        expect(rows.filter((one) => measureWidth(one) >= columns)).to.deep.equal([]);
        expect(rows.map((one) => one.slice(2)).join('')).to.equal(parts.join('').replaceAll('\n', ''));
        expect([row < rows.length, column < columns]).to.deep.equal([true, true]);
      }),
    );
  });
});
