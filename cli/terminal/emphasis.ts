/** Which emphasis is open in the present line. Every word changes it; a line's end closes it. */
export interface Emphasis {
  bold: boolean;
  italic: boolean;
  /** Backticks that opened the code span; 0 outside of one. */
  ticks: number;
}

export interface Rendered {
  /** With escape sequences. */
  text: string;
  /** As the eye sees it. */
  plain: string;
}

const CODES = {
  bold: ['\u001b[1m', '\u001b[22m'],
  italic: ['\u001b[3m', '\u001b[23m'],
  code: ['\u001b[36m', '\u001b[39m'],
} as const;

/** Nothing open. */
export function createEmphasis(): Emphasis {
  return { bold: false, italic: false, ticks: 0 };
}

/** What ends all that is open; afterwards nothing is. */
export function closeEmphasis(open: Emphasis): string {
  const text =
    (open.ticks > 0 ? CODES.code[1] : '') + (open.italic ? CODES.italic[1] : '') + (open.bold ? CODES.bold[1] : '');
  Object.assign(open, createEmphasis());
  return text;
}

/**
 * Renders one word of markdown: `**`, `*`, `_`, backticks and backslashes. `before` and `after` are the characters around it
 * ('' for none), which decide whether a mark opens or closes (CommonMark §6.2, the part of it that models use).
 */
export function renderWord(word: string, open: Emphasis, before: string, after: string): Rendered {
  const out: Rendered = { text: '', plain: '' };
  for (let at = 0; at < word.length;) {
    const mark = /^(`+|\*+|_+|\\[!-/:-@[-`{-~])/.exec(word.slice(at))?.[0] ?? '';
    const previous = word[at - 1] ?? before;
    const next = word[at + mark.length] ?? after;
    const change = mark === '' ? undefined : toggle(mark, open, previous, next);
    if (change !== undefined) {
      out.text += change;
      at += mark.length;
      continue;
    }
    const isEscape = mark.startsWith('\\') && open.ticks === 0;
    const literal = isEscape ? mark.slice(1) : mark || (word[at] ?? '');
    out.text += literal;
    out.plain += literal;
    at += mark.length || 1;
  }
  return out;
}

/** The escape sequence for a mark that opens or closes something; `undefined` when it is only text. */
function toggle(mark: string, open: Emphasis, previous: string, next: string): string | undefined {
  if (mark.startsWith('\\')) return undefined;
  if (open.ticks > 0 || mark.startsWith('`')) return toggleCode(mark, open);
  if (mark.length > 3) return undefined;
  const isInsideWord = /\w/.test(previous) && /\w/.test(next);
  if (mark.startsWith('_') && isInsideWord) return undefined;
  const kinds = (['italic', 'bold'] as const).filter((_, bit) => mark.length & (bit + 1));
  const closes = kinds.every((kind) => open[kind]) && /\S/.test(previous);
  const opens = kinds.every((kind) => !open[kind]) && /\S/.test(next) && !/\w/.test(previous);
  if (!closes && !opens) return undefined;
  return kinds
    .map((kind) => {
      open[kind] = opens;
      return CODES[kind][opens ? 0 : 1];
    })
    .join('');
}

function toggleCode(mark: string, open: Emphasis): string | undefined {
  if (open.ticks === 0) {
    open.ticks = mark.length;
    return CODES.code[0];
  }
  if (mark !== '`'.repeat(open.ticks)) return undefined;
  open.ticks = 0;
  return CODES.code[1];
}
