/** A word of a command line after its quotes were taken off. `literal`: whether the shell leaves it as it is. */
export interface Word {
  text: string;
  literal: boolean;
}

export type Token =
  | { kind: 'word'; word: Word; substitutions: string[] }
  | { kind: 'separator' }
  | { kind: 'redirection' }
  | { kind: 'open' | 'close' };

export interface Split {
  tokens: Token[];
  /** False: there is something in it that this doesn't read. */
  understood: boolean;
}

const SEPARATORS = /^(?:&&|\|\||\|&|;;&|;;|;&|[;&|\n])/;
const REDIRECTION = /^\d*(?:&>>|&>|>>|>\||>&|<&|<>|<<<|<<|>|<)/;
/** What the shell replaces by something else where it stands without quotes: file names, braces, the home. */
const EXPANDS = /[*?[\]{}~]/;

/** Splits a command line of bash as bash does, without ever guessing: what it doesn't know makes `understood` false. */
export function splitCommandLine(text: string): Split {
  const tokens: Token[] = [];
  let understood = true;
  let at = 0;
  const rest = (): string => text.slice(at);
  const fail = (): void => void (understood = false);

  /** From behind `$(` or `<(` to its closing parenthesis; quotes in it are passed over. */
  const readNested = (): string => {
    const start = at;
    let depth = 1;
    for (; at < text.length; at += 1) {
      const char = text[at];
      if (char === '\\') at += 1;
      else if (char === "'") at = skipTo("'");
      else if (char === '"') at = skipDouble();
      else if (char === '#' && /[\s(;&|]/.test(text[at - 1] ?? ' ')) fail(); // a comment may hold a parenthesis
      else if (char === '(') depth += 1;
      else if (char === ')' && (depth -= 1) === 0) break;
    }
    if (depth > 0) fail();
    const inner = text.slice(start, at);
    at += 1;
    return inner;
  };
  const skipTo = (char: string): number => {
    const end = text.indexOf(char, at + 1);
    if (end === -1) fail();
    return end === -1 ? text.length : end;
  };
  const skipDouble = (): number => {
    let end = at + 1;
    while (end < text.length && text[end] !== '"') {
      // A substitution in quotes in a substitution: nobody writes that by hand.
      if (text[end] === '`' || text.startsWith('$(', end)) fail();
      end += text[end] === '\\' ? 2 : 1;
    }
    if (end >= text.length) fail();
    return end;
  };

  const readWord = (): Token => {
    const word: Word = { text: '', literal: true };
    const substitutions: string[] = [];
    /** `$…` and backticks, in double quotes or out of them. */
    const readDollar = (): void => {
      word.literal = false;
      if (text[at] === '`') {
        const end = skipTo('`');
        const inner = text.slice(at + 1, end);
        if (inner.includes('\\')) fail();
        substitutions.push(inner);
        at = end + 1;
      } else if (text.startsWith('$((', at)) {
        fail();
        at += 3;
      } else if (text.startsWith('$(', at)) {
        at += 2;
        substitutions.push(readNested());
      } else if (text.startsWith('${', at)) {
        const found = /^\$\{\w+\}/.exec(rest());
        if (found === null) fail(); // with an operator it may hold a command, or run one
        at += found?.[0].length ?? 2;
      } else {
        at += /^\$\w+|^\$[@*#?$!-]/.exec(rest())?.[0].length ?? 1;
      }
    };
    while (at < text.length) {
      const char = text[at] ?? '';
      if (/[\s;&|()<>]/.test(char)) {
        if ((char === '<' || char === '>') && text[at + 1] === '(') {
          word.literal = false;
          at += 2;
          substitutions.push(readNested());
          continue;
        }
        break;
      }
      if (char === '\\') {
        if (text[at + 1] !== '\n') word.text += text[at + 1] ?? '';
        at += 2;
      } else if (char === "'") {
        const end = skipTo("'");
        word.text += text.slice(at + 1, end);
        at = end + 1;
      } else if (char === '"') {
        at += 1;
        while (at < text.length && text[at] !== '"') {
          if (text[at] === '\\') {
            const next = text[at + 1] ?? '';
            if (next !== '\n') word.text += /[$`"\\]/.test(next) ? next : `\\${next}`;
            at += 2;
          } else if (text[at] === '$' || text[at] === '`') {
            readDollar();
          } else {
            word.text += text[at];
            at += 1;
          }
        }
        if (at >= text.length) fail();
        at += 1;
      } else if (char === '$' && (text[at + 1] === "'" || text[at + 1] === '"')) {
        fail(); // escapes of their own
        at += 1;
      } else if (char === '$' || char === '`') {
        readDollar();
      } else {
        if (EXPANDS.test(char)) word.literal = false;
        word.text += char;
        at += 1;
      }
    }
    return { kind: 'word', word, substitutions };
  };

  while (at < text.length) {
    const blank = /^(?:[ \t\r]|\\\n)+/.exec(rest());
    if (blank !== null) {
      at += blank[0].length;
      continue;
    }
    const here = rest();
    if (here.startsWith('#')) {
      at += /^[^\n]*/.exec(here)?.[0].length ?? 1;
      continue;
    }
    const isSubstitution = /^[<>]\(/.test(here);
    const redirection = isSubstitution ? null : REDIRECTION.exec(here);
    if (redirection !== null) {
      if (redirection[0].endsWith('<<')) fail(); // a text up to a mark
      tokens.push({ kind: 'redirection' });
      at += redirection[0].length;
      continue;
    }
    const separator = SEPARATORS.exec(here);
    if (separator !== null) {
      tokens.push({ kind: 'separator' });
      at += separator[0].length;
    } else if (here.startsWith('(') || here.startsWith(')')) {
      tokens.push({ kind: here.startsWith('(') ? 'open' : 'close' });
      at += 1;
    } else {
      tokens.push(readWord());
    }
  }
  return { tokens, understood };
}
