/**
 * A text of somebody else's for a page, a log or a terminal: without control characters, which a terminal obeys, and without those
 * that turn the direction of writing, which dress one text up as another. At most `length` long.
 */
export function cleanText(text: string, length = 200): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, length);
}
