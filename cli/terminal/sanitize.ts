/**
 * Model text and server messages may hold what a terminal obeys: colours, window titles, hyperlinks, clipboard writes (OSC 52),
 * and characters that reorder or hide text (CVE-2021-42574). Line breaks and tabs stay.
 */
export interface Sanitizer {
  /** The harmless part of the next piece. Sequences may be cut anywhere between two pieces. */
  push(text: string): string;
}

type State = 'text' | 'escape' | 'sequence' | 'string' | 'string-escape';

/** Bidirectional controls, zero-width characters except the joiners of emoji and Persian, the byte order mark, invisible tags. */
// oxlint-disable-next-line no-misleading-character-class, no-irregular-whitespace -- these are the characters to remove
const HIDDEN =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Makes a sanitizer for one stream of text. */
export function createSanitizer(): Sanitizer {
  let state: State = 'text';
  let highSurrogate = '';
  return {
    push(text) {
      let clean = '';
      for (const unit of highSurrogate + text) {
        const step = advance(state, unit);
        state = step.state;
        clean += step.keep ? unit : '';
      }
      const last = clean.charCodeAt(clean.length - 1);
      highSurrogate = last >= 0xd800 && last <= 0xdbff ? clean.slice(-1) : '';
      return clean.slice(0, clean.length - highSurrogate.length).replace(HIDDEN, '');
    },
  };
}

/** Sanitizes a whole text. */
export function sanitizeText(text: string): string {
  return createSanitizer().push(text);
}

/** As `sanitizeText`, on one line. */
export function sanitizeLine(text: string): string {
  return sanitizeText(text).replace(/\s+/g, ' ').trim();
}

/** One step of the parser of ECMA-48 §5.4 and §5.6. A line break ends every sequence, so that nothing swallows an answer. */
function advance(state: State, unit: string): { state: State; keep: boolean } {
  const code = unit.codePointAt(0) ?? 0;
  if (unit === '\n') return { state: 'text', keep: true };
  switch (state) {
    case 'escape':
      if (unit === '[') return { state: 'sequence', keep: false };
      if (']PX^_'.includes(unit)) return { state: 'string', keep: false };
      // Two-byte sequences may have intermediate bytes: ESC ( B
      return { state: code >= 0x20 && code <= 0x2f ? 'escape' : 'text', keep: false };
    case 'sequence':
      return { state: code >= 0x40 && code <= 0x7e ? 'text' : 'sequence', keep: false };
    case 'string':
      if (code === 0x07 || code === 0x9c) return { state: 'text', keep: false };
      return { state: code === 0x1b ? 'string-escape' : 'string', keep: false };
    case 'string-escape':
      return { state: unit === '\\' ? 'text' : 'string', keep: false };
    default:
      return advanceText(unit, code);
  }
}

function advanceText(unit: string, code: number): { state: State; keep: boolean } {
  if (code === 0x1b) return { state: 'escape', keep: false };
  if (code === 0x9b) return { state: 'sequence', keep: false };
  if ([0x90, 0x98, 0x9d, 0x9e, 0x9f].includes(code)) return { state: 'string', keep: false };
  const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
  return { state: 'text', keep: unit === '\t' || !isControl };
}
