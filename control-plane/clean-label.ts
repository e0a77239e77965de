import { cleanText } from './clean-text.ts';

/** What a device calls itself, as it may be shown; null when nothing is left of it. */
export function cleanLabel(text: string | undefined): string | null {
  return cleanText(text ?? '') || null;
}
