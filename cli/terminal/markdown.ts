import { closeEmphasis, createEmphasis, renderWord } from './emphasis.ts';
import { renderTable } from './markdown-table.ts';
import { isWide, measureWidth } from './width.ts';

/**
 * Renders markdown while it arrives. Words show as soon as they are complete, lines wrap at the terminal's width, and the
 * result doesn't depend on how the text was cut into pieces. The text must be sanitized.
 */
export interface MarkdownRenderer {
  /** What can be shown of the text so far and wasn't yet. */
  push(text: string): string;
  /** The rest. */
  end(): string;
}

type Mode = 'start' | 'inline' | 'code' | 'rest-of-line';

/** Wider lines are hard to read. */
const MAX_COLUMNS = 100;
const DIM = ['\u001b[2m', '\u001b[22m'] as const;
const BOLD = ['\u001b[1m', '\u001b[22m'] as const;
const CYAN = ['\u001b[36m', '\u001b[39m'] as const;
/** Starts of lines that may yet become a fence, a heading, a list, a rule, a quote or a table. */
const UNDECIDED = /^\s*(`{0,2}|~{0,2}|#{0,6}|[-+]|[-*_]{0,80}|\d{1,9}[.)]?|>)$/;
/** Lines that can only be understood whole. */
const WHOLE_LINE = /^\s*(```|~~~|\|)/;
const BLOCK = /^(\s*)(?:(#{1,6}) |([-*+]) |(\d{1,9}[.)]) |(> ?))/;

/** Makes a renderer for a terminal that has `columns()` columns at that moment. */
export function createMarkdownRenderer(columns: () => number): MarkdownRenderer {
  const width = (): number => Math.max(20, Math.min(columns(), MAX_COLUMNS));
  const emphasis = createEmphasis();
  let mode: Mode = 'start';
  let held = '';
  let fence = '';
  let table: string[] = [];
  let out = '';
  let column = 0;
  let hang = '';
  let word = '';
  let spaces = '';
  let before = '';
  let isHeading = false;

  const endLine = (): void => {
    flushWord('');
    out += closeEmphasis(emphasis) + (isHeading ? BOLD[1] : '');
    out += '\n';
    [mode, column, hang, spaces, before, isHeading] = ['start', 0, '', '', '', false];
  };

  const flushWord = (after: string): void => {
    if (word === '') return;
    const { text, plain } = renderWord(word, emphasis, before, after);
    const size = measureWidth(plain);
    const hangWidth = measureWidth(hang);
    if (column + spaces.length + size > width() && column > hangWidth) {
      out += `\n${hang}`;
      column = hangWidth;
    } else {
      out += spaces;
      column += spaces.length;
    }
    out += isHeading ? text.replaceAll(BOLD[0], '').replaceAll(BOLD[1], '') : text;
    column += size;
    before = [...word].at(-1) ?? '';
    [word, spaces] = ['', ''];
  };

  const pushInline = (char: string): void => {
    if (char === '\n') return endLine();
    if (char === ' ' || char === '\t') {
      flushWord(' ');
      spaces += ' ';
      before = ' ';
      return undefined;
    }
    if (isWide(char)) {
      flushWord(char);
      word = char;
      return flushWord('');
    }
    word += char;
    return undefined;
  };

  /** Begins a block whose kind is known by now: writes what stands before the text and renders the text so far. */
  const beginInline = (line: string): void => {
    const [matched = '', indent = '', heading, bullet, number, quote] = BLOCK.exec(line) ?? [];
    const start = matched === '' ? (/^\s*/.exec(line)?.[0] ?? '') : matched;
    const lead = quote ? '│ ' : bullet ? `${indent}• ` : number ? `${indent}${number} ` : heading ? '' : start;
    hang = quote ? '│ ' : ' '.repeat(measureWidth(lead));
    column = measureWidth(lead);
    isHeading = heading !== undefined;
    out += (quote ? `${DIM[0]}${lead}${DIM[1]}` : lead) + (isHeading ? BOLD[0] : '');
    mode = 'inline';
    for (const char of line.slice(start.length)) pushInline(char);
  };

  const flushTable = (): void => {
    if (table.length > 0) out += renderTable(table, width());
    table = [];
  };

  /** A line is complete before its kind was decided by its start. */
  const endHeldLine = (line: string): void => {
    held = '';
    mode = 'start';
    if (/^\s*\|/.test(line)) {
      table.push(line);
      return;
    }
    flushTable();
    const opening = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (opening !== undefined) {
      fence = opening;
      mode = 'code';
      out += `${DIM[0]}${line}${DIM[1]}\n`;
    } else if (/^ {0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
      out += `${DIM[0]}${'─'.repeat(Math.min(width(), 40))}${DIM[1]}\n`;
    } else if (line.trim() === '') {
      out += '\n';
    } else {
      beginInline(line);
      endLine();
    }
  };

  const pushStart = (char: string): void => {
    if (char === '\n') return endHeldLine(held);
    held += char;
    if (mode === 'rest-of-line') return undefined;
    if (WHOLE_LINE.test(held)) mode = 'rest-of-line';
    else if (!UNDECIDED.test(held)) {
      const line = held;
      held = '';
      flushTable();
      beginInline(line);
    }
    return undefined;
  };

  /** Inside a fence everything is shown as it comes, except what may be the closing fence. */
  const pushCode = (char: string): void => {
    if (char === '\n') {
      const closing = held.trim();
      const isClosing = closing.length >= fence.length && closing === fence.charAt(0).repeat(closing.length);
      if (isClosing) out += `${DIM[0]}${held}${DIM[1]}\n`;
      else out += `${closing === '' ? held : CYAN[0] + held}${closing !== '' || column > 0 ? CYAN[1] : ''}\n`;
      if (isClosing) mode = 'start';
      [held, column] = ['', 0];
    } else if (column === 0 && (held + char).trim() === fence.charAt(0).repeat((held + char).trim().length)) {
      held += char;
    } else {
      out += `${column === 0 ? CYAN[0] : ''}${held}${char}`;
      column += held.length + 1;
      held = '';
    }
  };

  const take = (): string => {
    const text = out;
    out = '';
    return text;
  };

  return {
    push(text) {
      for (const char of text) {
        if (mode === 'inline') pushInline(char);
        else if (mode === 'code') pushCode(char);
        else pushStart(char);
      }
      return take();
    },
    end() {
      if (mode === 'inline') endLine();
      else if (mode === 'code' && (column > 0 || held !== '')) pushCode('\n');
      else if (mode !== 'code' && held !== '') endHeldLine(held);
      flushTable();
      return take();
    },
  };
}
