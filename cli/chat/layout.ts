import { measureWidth } from '../terminal/width.ts';
import { splitCharacters } from './draft.ts';
import type { Draft } from './draft.ts';

/** What stands before the first row, and as much room before the others. */
export const LEAD = '> ';
const HANG = ' '.repeat(LEAD.length);
const TAB = '    ';

/** A draft broken into the rows of a window, and where the cursor stands, both counted from 0. */
export interface Layout {
  rows: string[];
  row: number;
  column: number;
}

/** Breaks a draft into rows of at most `columns - 1`: in the last column terminals differ about where the cursor is then. */
export function layOut(draft: Draft, columns: number): Layout {
  const most = Math.max(LEAD.length + 2, columns - 1);
  const rows: string[] = [];
  let present = LEAD;
  let width = LEAD.length;
  let at: Pick<Layout, 'row' | 'column'> | undefined;
  const breakRow = (): void => {
    rows.push(present);
    [present, width] = [HANG, HANG.length];
  };
  for (const character of splitCharacters(draft.text)) {
    const cell = character.text === '\t' ? TAB : character.text;
    const size = measureWidth(cell);
    if (character.text !== '\n' && width + size > most) breakRow();
    if (draft.cursor <= character.at) at ??= { row: rows.length, column: width };
    if (character.text === '\n') breakRow();
    else {
      present += cell;
      width += size;
    }
  }
  at ??= { row: rows.length, column: width };
  rows.push(present);
  return { rows, ...at };
}
