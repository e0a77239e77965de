/** What a device calls itself: without control characters and without those that turn the direction of writing, which could dress a label up as another. */
export function cleanLabel(text: string | undefined): string | null {
  const cleaned = (text ?? '')
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '')
    .trim()
    .slice(0, 200);
  return cleaned === '' ? null : cleaned;
}
