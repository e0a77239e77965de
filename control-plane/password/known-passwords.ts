import { dictionary } from '@zxcvbn-ts/language-common';

/** Letters that people write as digits and signs. */
const LEET: Record<string, string> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/**
 * Answers whether a password is one of the 49,000 commonest (zxcvbn-ts' list), or one of them in disguise: other case,
 * digits for letters, digits and signs around it, or twice in a row. `Password123!` is still `password`.
 */
export function loadKnownPasswords(): (password: string) => boolean {
  const list = new Set<string>();
  for (const entry of dictionary['passwords-common'] ?? []) list.add(String(entry).toLowerCase());
  const has = (text: string) => list.has(text) || list.has(plainLetters(text)) || list.has(halfOf(text));
  return (password) => {
    const lower = password.toLowerCase();
    const bare = lower.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
    const alnum = lower.replace(/[^\p{L}\p{N}]/gu, '');
    const letters = lower.replace(/[^\p{L}]/gu, '');
    return [lower, alnum, bare, letters, trimSigns(lower)].some((text) => text.length > 3 && has(text));
  };
}

function plainLetters(text: string): string {
  return text.replace(/[0134578@$!]/g, (sign) => LEET[sign] ?? sign);
}

function trimSigns(text: string): string {
  return text.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
}

/** `secretsecret` is `secret`. */
function halfOf(text: string): string {
  const half = text.slice(0, text.length / 2);
  return text === half + half ? half : text;
}
