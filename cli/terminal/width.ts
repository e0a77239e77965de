const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const ZERO = /^(\p{Mn}|\p{Me}|\u200d|\p{Variation_Selector})$/u;

/** True for characters that take two columns (Unicode TR 11: wide, and emoji). */
export function isWide(char: string): boolean {
  return WIDE.test(char);
}

/** Columns that a text without escape sequences takes on a terminal. */
export function measureWidth(text: string): number {
  let width = 0;
  for (const char of text) width += ZERO.test(char) ? 0 : isWide(char) ? 2 : 1;
  return width;
}
