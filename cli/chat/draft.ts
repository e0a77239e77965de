/** What is being typed. `cursor` counts as strings do, and stands between two characters as a person sees them. */
export interface Draft {
  text: string;
  cursor: number;
}

export const EMPTY: Draft = { text: '', cursor: 0 };

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** More is not looked at, so that no text makes it slow. */
const LONGEST_WORD = 1000;
const WORD_BEFORE = /[\p{L}\p{N}_]+[^\p{L}\p{N}_]*$|[^\p{L}\p{N}_]+$/u;
const WORD_AFTER = /^[^\p{L}\p{N}_]*[\p{L}\p{N}_]+|^[^\p{L}\p{N}_]+/u;

/** The characters of a text as a person sees them: an emoji made of several is one. */
export function* splitCharacters(text: string): Generator<{ text: string; at: number }> {
  for (const { segment, index } of GRAPHEMES.segment(text)) yield { text: segment, at: index };
}

/** A draft with the cursor behind its last character. */
export function createDraft(text: string): Draft {
  return { text, cursor: text.length };
}

export function insert({ text, cursor }: Draft, more: string): Draft {
  return { text: text.slice(0, cursor) + more + text.slice(cursor), cursor: cursor + more.length };
}

export function goLeft(draft: Draft): Draft {
  return { ...draft, cursor: draft.cursor - lengthBefore(draft) };
}

export function goRight(draft: Draft): Draft {
  return { ...draft, cursor: draft.cursor + lengthAfter(draft) };
}

export function goWordLeft({ text, cursor }: Draft): Draft {
  return {
    text,
    cursor: cursor - (WORD_BEFORE.exec(text.slice(Math.max(0, cursor - LONGEST_WORD), cursor))?.[0].length ?? 0),
  };
}

export function goWordRight({ text, cursor }: Draft): Draft {
  return { text, cursor: cursor + (WORD_AFTER.exec(text.slice(cursor))?.[0].length ?? 0) };
}

/** To the beginning of its line. */
export function goHome(draft: Draft): Draft {
  return { ...draft, cursor: findLine(draft).start };
}

export function goEnd(draft: Draft): Draft {
  return { ...draft, cursor: findLine(draft).end };
}

/** One line up, as far from its beginning as now. Undefined in the first line. */
export function goUp(draft: Draft): Draft | undefined {
  const { start } = findLine(draft);
  return start === 0 ? undefined : goToLine(draft, start - 1);
}

/** One line down. Undefined in the last line. */
export function goDown(draft: Draft): Draft | undefined {
  const { end } = findLine(draft);
  return end === draft.text.length ? undefined : goToLine(draft, end + 1);
}

export function deleteBefore(draft: Draft): Draft {
  return cut(draft, draft.cursor - lengthBefore(draft), draft.cursor);
}

export function deleteAfter(draft: Draft): Draft {
  return cut(draft, draft.cursor, draft.cursor + lengthAfter(draft));
}

export function deleteWordBefore(draft: Draft): Draft {
  return cut(draft, goWordLeft(draft).cursor, draft.cursor);
}

export function deleteWordAfter(draft: Draft): Draft {
  return cut(draft, draft.cursor, goWordRight(draft).cursor);
}

/** The rest of the line; at its end, the line break. */
export function deleteToEnd(draft: Draft): Draft {
  const { end } = findLine(draft);
  return cut(draft, draft.cursor, end === draft.cursor ? end + 1 : end);
}

/** What stands before the cursor in its line. */
export function deleteToHome(draft: Draft): Draft {
  return cut(draft, findLine(draft).start, draft.cursor);
}

function cut({ text }: Draft, from: number, to: number): Draft {
  return { text: text.slice(0, from) + text.slice(to), cursor: from };
}

function findLine({ text, cursor }: Draft): { start: number; end: number } {
  const end = text.indexOf('\n', cursor);
  return { start: text.slice(0, cursor).lastIndexOf('\n') + 1, end: end === -1 ? text.length : end };
}

function goToLine(draft: Draft, position: number): Draft {
  const before = [...splitCharacters(draft.text.slice(findLine(draft).start, draft.cursor))].length;
  const { start, end } = findLine({ ...draft, cursor: position });
  const characters = [...splitCharacters(draft.text.slice(start, end))];
  return { ...draft, cursor: start + (characters[before]?.at ?? end - start) };
}

function lengthBefore(draft: Draft): number {
  if (draft.cursor === 0) return 0;
  const { start } = findLine(draft);
  if (start === draft.cursor) return 1; // a line break
  return [...splitCharacters(draft.text.slice(start, draft.cursor))].at(-1)?.text.length ?? 0;
}

function lengthAfter(draft: Draft): number {
  const { end } = findLine(draft);
  if (end === draft.cursor) return end === draft.text.length ? 0 : 1;
  const [first] = splitCharacters(draft.text.slice(draft.cursor, end));
  return first?.text.length ?? 0;
}
