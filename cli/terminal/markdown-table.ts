import { closeEmphasis, createEmphasis, renderWord } from './emphasis.ts';
import { fitText } from './fit.ts';
import { measureWidth } from './width.ts';

/** Renders the rows of a markdown table in aligned columns; where those don't fit, each row as a list of `heading: cell`. */
export function renderTable(rows: string[], columns: number): string {
  const asTheyAre = `${rows.join('\n')}\n`;
  if (!/^[\s|:-]+$/.test(rows[1] ?? '') || !rows[1]?.includes('-')) return asTheyAre;
  const cells = rows.filter((_, index) => index !== 1).map((row) => splitCells(row).map(renderCell));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, measureWidth(cell.plain));
  }
  const total = widths.reduce((sum, width) => sum + width, 0) + 3 * (widths.length - 1);
  if (total > columns) return renderRecords(cells, columns);
  const lines = cells.map((row) =>
    widths
      .map((width, index) => `${row[index]?.text ?? ''}${' '.repeat(width - measureWidth(row[index]?.plain ?? ''))}`)
      .join(' │ ')
      .trimEnd(),
  );
  const rule = widths.map((width) => '─'.repeat(width)).join('─┼─');
  return `${[`\u001b[1m${lines[0] ?? ''}\u001b[22m`, rule, ...lines.slice(1)].join('\n')}\n`;
}

function renderRecords([head = [], ...rows]: Cell[][], columns: number): string {
  const record = (row: Cell[]): string =>
    row
      .map(({ text }, index) => {
        const heading = head[index]?.text ?? '';
        return fitText(heading === '' ? text : `\u001b[1m${heading}:\u001b[22m ${text}`, columns);
      })
      .join('\n');
  return `${(rows.length === 0 ? [head] : rows).map(record).join('\n\n')}\n`;
}

function splitCells(row: string): string[] {
  const inner = row
    .trim()
    .replace(/^\|/, '')
    .replace(/(?<!\\)\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

interface Cell {
  text: string;
  plain: string;
}

function renderCell(cell: string): Cell {
  const open = createEmphasis();
  const rendered = renderWord(cell, open, '', '');
  return { text: rendered.text + closeEmphasis(open), plain: rendered.plain };
}
