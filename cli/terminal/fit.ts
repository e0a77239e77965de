import type { CliDeps, Output } from '../deps.ts';
import { measureWidth } from './width.ts';

// oxlint-disable-next-line no-control-regex -- these are the sequences that take no room
const STYLES = /\u001b\[[\d;]*m/g;
/** The first column of a table or of a list of options, with the gap behind it. */
const FIRST_COLUMN = /^ *\S+(?: \S+)* {2,}(?=\S)/;

/**
 * Breaks lines that are wider than `columns` between words. What follows a gap of two spaces or more stays a column of its own where
 * that leaves it half of the width; else it goes on below, indented. Words that are too long, like addresses, stay whole.
 */
export function fitText(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => fitLine(line, columns))
    .join('\n');
}

function fitLine(line: string, columns: number): string {
  if (measure(line) <= columns) return line;
  const plain = line.replaceAll(STYLES, '');
  const indent = /^ */.exec(plain)?.[0].length ?? 0;
  const lead = measure(FIRST_COLUMN.exec(plain)?.[0] ?? '');
  const isColumn = lead > 0 && lead <= columns / 2;
  const hang = isColumn ? lead : lead > 0 ? indent + 4 : indent;
  let fitted = '';
  let width = 0;
  for (const [, gap = '', word = ''] of line.matchAll(/( *)([^ ]+)/g)) {
    const size = measure(word);
    if (width > hang && width + gap.length + size > columns) {
      fitted += `\n${' '.repeat(hang)}${word}`;
      width = hang + size;
    } else {
      fitted += gap + word;
      width += gap.length + size;
    }
  }
  // Behind a question something is typed.
  return line.endsWith(' ') && width < columns ? `${fitted} ` : fitted;
}

function measure(text: string): number {
  return measureWidth(text.replaceAll(STYLES, ''));
}

/** The same outputs, which fit what is written to a terminal into its width of that moment. A line that is redrawn stays as it is. */
export function fitOutputs(deps: CliDeps): CliDeps {
  return { ...deps, stdout: fitOutput(deps.stdout), stderr: fitOutput(deps.stderr) };
}

/** One output, fitted. `reserve`: columns that are left for what is typed behind a question. */
export function fitOutput(output: Output, reserve = 0): Output {
  if (!output.isTTY) return output;
  return {
    isTTY: true,
    get columns() {
      return output.columns;
    },
    write: (text) => output.write(text.startsWith('\r') ? text : fitText(text, output.columns - reserve)),
  };
}
