/** What an SSH password must meet. The page shows the same rules and checks those with a `pattern` while one types. */
export const PASSWORD_RULES = [
  { id: 'length', text: 'At least 12 characters', pattern: '^[^]{12,}$' },
  { id: 'number', text: 'A number', pattern: '\\p{Nd}' },
  { id: 'special', text: 'A special character, such as ! ? # - or a space', pattern: '[^\\p{L}\\p{N}]' },
  { id: 'size', text: 'At most 128 bytes', pattern: undefined },
  { id: 'known', text: 'Not a well-known password, nor one with something put around it', pattern: undefined },
  { id: 'plain', text: 'No line breaks or other control characters', pattern: undefined },
] as const;
export type PasswordRule = (typeof PASSWORD_RULES)[number]['id'];

/** sshd and PAM take more, but hashing time grows with it and nobody types it on a phone. */
export const MAX_PASSWORD_BYTES = 128;

/** The rules that `password` misses, in the order of the list; empty when it is fine. `names` are the person's own. */
export function findMissedRules(
  password: string,
  known: (password: string) => boolean,
  names: string[] = [],
): PasswordRule[] {
  const missed = (rule: PasswordRule): boolean => {
    switch (rule) {
      case 'size':
        return Buffer.byteLength(password) > MAX_PASSWORD_BYTES;
      case 'plain':
        // A password with a NUL or a line end can't be typed at any prompt; half a surrogate is no text at all.
        return /\p{Cc}/u.test(password) || !password.isWellFormed();
      case 'known':
        return isTooPlain(password) || known(password) || names.some((name) => isAround(password, name));
      default: {
        const pattern = PASSWORD_RULES.find(({ id }) => id === rule)?.pattern;
        return pattern !== undefined && !new RegExp(pattern, 'u').test(password);
      }
    }
  };
  return PASSWORD_RULES.map(({ id }) => id).filter(missed);
}

/** The words for a missed rule. */
export function describeRule(rule: PasswordRule): string {
  return PASSWORD_RULES.find(({ id }) => id === rule)?.text ?? rule;
}

/** Fewer than five different characters: aaaaaaaaaa1! */
function isTooPlain(password: string): boolean {
  return password.length > 0 && new Set(password.toLowerCase()).size < 5;
}

/** Whether nothing but digits and signs stands around the name: alice-2026-!! */
function isAround(password: string, name: string): boolean {
  return (
    name.length > 2 && password.toLowerCase().replace(/[^\p{L}]/gu, '') === name.toLowerCase().replace(/[^\p{L}]/gu, '')
  );
}

/** What a page tells of: no field of a page lets one type a control character. */
export const SHOWN_RULES = PASSWORD_RULES.filter(({ id }) => id !== 'plain');
