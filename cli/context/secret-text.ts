/** A piece of text that was withheld: what it looked like, and in which line it began (1 for the first). */
export interface Withheld {
  kind: string;
  line: number;
}

export interface Redacted {
  text: string;
  withheld: Withheld[];
}

interface Rule {
  kind: string;
  /** The whole match is withheld, or the group `secret` where there is one. Needs the flags g and d. */
  pattern: RegExp;
  /** Looks at the value once more, to spare what only has the shape. */
  accept?: (value: string) => boolean;
}

/** The longest private key that is withheld up to its end line; a 16,384-bit RSA key has 12,700 characters. */
const KEY_CHARS = 20_000;
const KEY_NAME = String.raw`(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_.]?key|access[-_.]?key|account[-_.]?key|private[-_.]?key|client[-_.]?secret|auth[-_.]?key|encryption[-_.]?key|signing[-_.]?key|credentials?)[\w.-]{0,40}`;

/** What may stand between a quoted name and its quoted value: a sign with a type before it, a comma, or an XML attribute. */
const BETWEEN = String.raw`(?:["'\x60]?\]?[ \t]*(?::[ \t]*[&\w][\w.<>|[\] \t]{0,40}=|:=|=>|=|:)|["'\x60][ \t]*,|["'][ \t]+value[ \t]*=)[ \t]*`;

/** Shapes that issuers publish, most telling first. A match is replaced before the next rule looks. */
const RULES: Rule[] = [
  {
    kind: 'a private key',
    pattern: new RegExp(
      String.raw`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,${KEY_CHARS}}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\"',:-]{40,})`,
      'dg',
    ),
  },
  { kind: 'a PuTTY private key', pattern: /^PuTTY-User-Key-File-\d[\s\S]{0,20000}?^Private-MAC: \S+/dgm },
  { kind: 'an age key', pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/dg },
  { kind: 'an AWS key', pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/dg },
  { kind: 'a GitHub token', pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})/dg },
  { kind: 'a GitLab token', pattern: /\bgl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_.-]{20,}/dg },
  { kind: 'a Stripe key', pattern: /\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{20,})/dg },
  { kind: 'a Slack token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{20,}/dg },
  { kind: 'a Slack webhook', pattern: /hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9/_-]{20,}/dg },
  { kind: 'a Google key', pattern: /\bAIza[A-Za-z0-9_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}/dg },
  { kind: 'an Anthropic key', pattern: /\bsk-ant-[A-Za-z0-9_-]{20,}/dg },
  { kind: 'an OpenAI key', pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}/dg, accept: hasDigit },
  { kind: 'an npm token', pattern: /\bnpm_[A-Za-z0-9]{36}/dg },
  { kind: 'a PyPI token', pattern: /\bpypi-[A-Za-z0-9_-]{50,}/dg },
  { kind: 'a SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/dg },
  { kind: 'a Hugging Face token', pattern: /\bhf_[A-Za-z0-9]{30,}/dg },
  { kind: 'a DigitalOcean token', pattern: /\bdo[opr]_v1_[a-f0-9]{40,}/dg },
  { kind: 'a Telegram bot token', pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}/dg },
  { kind: 'a Spoq token', pattern: /\bspoq_[A-Za-z0-9_-]{20,}/dg, accept: hasDigit },
  { kind: 'a JSON Web Token', pattern: /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/dg },
  {
    kind: 'a password in a URL',
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"'`<>]{0,100}:(?<secret>[^\s@/"'`<>]{3,200})@/dgi,
    accept: (value) => !isPlaceholder(value),
  },
  {
    kind: 'an authorization header',
    pattern: /\b(?:bearer|basic|token)\s+(?<secret>[A-Za-z0-9_.~+/=-]{20,})/dgi,
    accept: (value) => hasDigit(value) && measureEntropy(value) >= 3.5,
  },
  {
    kind: 'a password or key',
    pattern: new RegExp(
      String.raw`${KEY_NAME}${BETWEEN}(?<quote>["'\x60])(?<secret>[^"'\x60\r\n]{8,500})\k<quote>`,
      'dgi',
    ),
    accept: looksRandom,
  },
  {
    // Without quotes only where it can't be prose: KEY=value anywhere, and `key: value` at the start of a line.
    kind: 'a password or key',
    pattern: new RegExp(
      String.raw`(?:${KEY_NAME}=|^[ \t-]*(?:export[ \t]+|set[ \t]+)?[\w.-]{0,40}${KEY_NAME}["']?[ \t]*[:=][ \t]+)(?<secret>[^\s"'\x60,;(){}<>[\]]{8,500})(?=$|[\s,;}])`,
      'dgim',
    ),
    accept: looksRandom,
  },
  {
    kind: 'a password or key',
    pattern: new RegExp(String.raw`<[\w.:-]{0,40}${KEY_NAME}>(?<secret>[^\s"'<>]{8,500})</`, 'dgi'),
    accept: looksRandom,
  },
  {
    // .netrc, and curl's user:password
    kind: 'a password or key',
    pattern:
      /(?:\bmachine[ \t]+\S{1,200}[ \t]+login[ \t]+\S{1,200}[ \t]+password[ \t]+|\bcurl\b[^\r\n]{0,200}[ \t](?:-u|--user)[ \t=]*["']?[^\s:"']{1,100}:)(?<secret>[^\s"'<>]{8,500})/dgi,
    accept: looksRandom,
  },
];

/** Replaces what looks like a credential, and says what and where. Line numbers are those of the text that was given. */
export function redactText(text: string): Redacted {
  const withheld: Withheld[] = [];
  let present = text;
  for (const rule of RULES) present = applyRule(rule, present, withheld);
  return { text: present, withheld: withheld.sort((a, b) => a.line - b.line) };
}

/** What stands where something was withheld. It keeps the number of lines, so that a model can still name them. */
function createNote(kind: string, lines: number): string {
  return `[withheld by spoq: looks like ${kind}]${'\n'.repeat(lines)}`;
}

function applyRule(rule: Rule, text: string, withheld: Withheld[]): string {
  let result = '';
  let at = 0;
  let line = 1;
  let counted = 0;
  for (const match of text.matchAll(rule.pattern)) {
    const groups = match.indices?.groups;
    const [start, end] = groups?.secret ?? match.indices?.[0] ?? [0, 0];
    const value = text.slice(start, end);
    if (value.includes('[withheld by spoq') || rule.accept?.(value) === false) continue;
    line += countBreaks(text.slice(counted, start));
    counted = start;
    withheld.push({ kind: rule.kind, line });
    result += text.slice(at, start) + createNote(rule.kind, countBreaks(value));
    at = end;
  }
  return result + text.slice(at);
}

function countBreaks(text: string): number {
  return text.split('\n').length - 1;
}

function hasDigit(value: string): boolean {
  return /\d/.test(value);
}

function isPlaceholder(value: string): boolean {
  return /^(\$|%|\{|\*+$|x+$|\.+$)|^(password|passwd|pass|secret|user|postgres|root|changeme|example|your[-_].*)$/i.test(
    value,
  );
}

/**
 * True for values that a person or a generator made up, false for words, names and code. Entropy is in bits per character:
 * English words stay under 3, generated passwords of 12 characters reach 3.2, keys of 20 and more reach 3.5.
 */
function looksRandom(value: string): boolean {
  if (isPlaceholder(value) || /\$\{|\{\{|%\(/.test(value)) return false;
  // Words: a-name-of-something, some_setting
  if (/^[a-z]+([-_.:/][a-z]+)+$/i.test(value)) return false;
  // Code: process.env.API_KEY2, config.auth.token, secrets::DB_1, ./path/to/file1, http://host/path
  if (/^[A-Za-z_$][\w$]*((\.|::|\?\.|->)[A-Za-z_$][\w$]*)+$/.test(value) || /^(\.{0,2}\/|https?:\/\/)/.test(value))
    return false;
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9\s]/].filter((one) => one.test(value)).length;
  if (/\s/.test(value) || classes < 2) return false;
  if (!hasDigit(value) && value.length < 20)
    return /[a-z]/i.test(value) && /[^\w\s.:/-]/.test(value) && measureEntropy(value) >= 3;
  return measureEntropy(value) >= (value.length < 20 ? 2.9 : 3.3);
}

/** Shannon entropy in bits per character. */
function measureEntropy(value: string): number {
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}
