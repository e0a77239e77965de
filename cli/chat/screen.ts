import type { Output } from '../deps.ts';
import { formatCount } from '../terminal/format.ts';
import { measureWidth } from '../terminal/width.ts';
import type { Style } from '../terminal/style.ts';
import { createDraft } from './draft.ts';
import type { Draft } from './draft.ts';
import { LEAD, layOut } from './layout.ts';
import type { Layout } from './layout.ts';

/** Shows a draft while it is typed. */
export interface Screen {
  draw(draft: Draft): void;
  /** Leaves it above, and the cursor in the line below. */
  finish(draft: Draft): Promise<void>;
}

/** A window shows at least so many; what is longer scrolls within. */
const MOST_ROWS = 10;

/** A screen of a terminal whose cursor can be moved. Every write begins with \r, so that nobody breaks it into lines. */
export function createScreen(output: Output, style: Style): Screen {
  let shown: Layout | undefined;
  const show = ({ rows, row, column }: Layout): Promise<void> => {
    const up = shown === undefined ? 0 : countRowsAbove(shown, output.columns);
    const text = rows.map((one) => (one.startsWith(LEAD) ? style.bold(LEAD) + one.slice(LEAD.length) : one));
    shown = { rows, row, column };
    return output.write(
      `\r${moveUp(up)}\u001b[J${text.join('\r\n')}${moveUp(rows.length - 1 - row)}\r${column > 0 ? `\u001b[${column}C` : ''}`,
    );
  };
  return {
    draw(draft) {
      void show(scroll(layOut(draft, output.columns)));
    },
    async finish({ text }) {
      const { rows } = layOut(createDraft(text), output.columns);
      const more = rows.length - MOST_ROWS;
      const kept = more > 0 ? [...rows.slice(0, MOST_ROWS), `  … ${formatCount(more, 'more line')}`] : rows;
      await show({ rows: kept, row: kept.length - 1, column: 0 });
      shown = undefined;
      await output.write('\r\n');
    },
  };
}

/** A terminal that only prints (TERM=dumb): it lets people correct their lines by itself, and shows them. */
export function createPlainScreen(output: Output): Screen {
  let lines: number | undefined;
  return {
    draw({ text }) {
      const count = text.split('\n').length;
      if (lines === undefined) void output.write(`${LEAD}${text}`);
      else if (count > lines) void output.write(' '.repeat(LEAD.length));
      lines = count;
    },
    async finish() {
      lines = undefined;
    },
  };
}

/** Of a long draft, the rows around the cursor. */
function scroll({ rows, row, column }: Layout): Layout {
  const first = Math.max(0, Math.min(row - MOST_ROWS + 1, rows.length - MOST_ROWS));
  return { rows: rows.slice(first, first + MOST_ROWS), row: row - first, column };
}

/** Where the window became narrower meanwhile, the terminal has broken the rows itself. */
function countRowsAbove({ rows, row, column }: Layout, columns: number): number {
  const above = rows.slice(0, row).reduce((sum, one) => sum + Math.max(1, Math.ceil(measureWidth(one) / columns)), 0);
  return above + Math.floor(column / columns);
}

function moveUp(rows: number): string {
  return rows > 0 ? `\u001b[${rows}A` : '';
}
