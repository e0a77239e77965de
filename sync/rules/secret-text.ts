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
  /** Lower case; every match holds one of them. They tell cheaply that a text needs no closer look (secret-content.ts). */
  needles: string[];
  /** A match may go over several lines. */
  spansLines?: true;
  /** The whole match is withheld, or the group `secret` where there is one. Needs the flags g and d. */
  pattern: RegExp;
  /** Looks at the value once more, to spare what only has the shape. */
  accept?: (value: string) => boolean;
}

/** The longest private key that is withheld up to its end line; a 16,384-bit RSA key has 12,700 characters. */
const KEY_CHARS = 20_000;
const KEY_NAME = String.raw`(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_.]?key|access[-_.]?key|account[-_.]?key|private[-_.]?key|client[-_.]?secret|auth[-_.]?key|encryption[-_.]?key|signing[-_.]?key|credentials?)[\w.-]{0,40}`;

/** `api_key` in its four spellings, and so on; see KEY_NAME. */
const KEY_NEEDLES = [
  'pass',
  'pwd',
  'secret',
  'token',
  'credential',
  ...['api', 'access', 'account', 'private', 'auth', 'encryption', 'signing'].flatMap((word) =>
    ['', '-', '_', '.'].map((sign) => `${word}${sign}key`),
  ),
];

/** What may stand between a quoted name and its quoted value: a sign with a type before it, a comma, or an XML attribute. */
const BETWEEN = String.raw`(?:["'\x60]?\]?[ \t]*(?::[ \t]*[&\w][\w.<>|[\] \t]{0,40}=|:=|=>|=|:)|["'\x60][ \t]*,|["'][ \t]+value[ \t]*=)[ \t]*`;

/** Shapes that issuers publish, most telling first. A match is replaced before the next rule looks. */
const RULES: Rule[] = [
  {
    kind: 'a private key',
    needles: ['-----begin'],
    spansLines: true,
    pattern: new RegExp(
      String.raw`-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]{0,${KEY_CHARS}}?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\"',:-]{40,})`,
      'dg',
    ),
  },
  {
    kind: 'a PuTTY private key',
    needles: ['putty-user-key-file-'],
    spansLines: true,
    pattern: /^PuTTY-User-Key-File-\d[\s\S]{0,20000}?^Private-MAC: \S+/dgm,
  },
  { kind: 'an age key', needles: ['age-secret-key-1'], pattern: /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/dg },
  { kind: 'an AWS key', needles: ['akia', 'asia'], pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/dg },
  {
    kind: 'a GitHub token',
    needles: ['ghp_', 'gho_', 'ghs_', 'ghu_', 'ghr_', 'github_pat_'],
    pattern: /\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})/dg,
  },
  {
    kind: 'a GitLab token',
    needles: ['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glsoat-'],
    pattern: /\bgl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_.-]{20,}/dg,
  },
  {
    kind: 'a Stripe key',
    needles: ['k_live_', 'k_test_', 'whsec_'],
    pattern: /\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{20,})/dg,
  },
  {
    kind: 'a Slack token',
    needles: ['xox', 'xapp-'],
    pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{20,}/dg,
  },
  {
    kind: 'a Slack webhook',
    needles: ['hooks.slack.com/'],
    pattern: /hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9/_-]{20,}/dg,
  },
  {
    kind: 'a Google key',
    needles: ['aiza', 'gocspx-', 'ya29.'],
    pattern: /\bAIza[A-Za-z0-9_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}/dg,
  },
  { kind: 'an Anthropic key', needles: ['sk-ant-'], pattern: /\bsk-ant-[A-Za-z0-9_-]{20,}/dg },
  {
    kind: 'an OpenAI key',
    needles: ['sk-'],
    pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}/dg,
    accept: hasDigit,
  },
  { kind: 'an npm token', needles: ['npm_'], pattern: /\bnpm_[A-Za-z0-9]{36}/dg },
  { kind: 'a PyPI token', needles: ['pypi-'], pattern: /\bpypi-[A-Za-z0-9_-]{50,}/dg },
  { kind: 'a SendGrid key', needles: ['sg.'], pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/dg },
  { kind: 'a Hugging Face token', needles: ['hf_'], pattern: /\bhf_[A-Za-z0-9]{30,}/dg },
  { kind: 'a DigitalOcean token', needles: ['dop_v1_', 'doo_v1_', 'dor_v1_'], pattern: /\bdo[opr]_v1_[a-f0-9]{40,}/dg },
  { kind: 'a Telegram bot token', needles: [':aa'], pattern: /\b\d{8,10}:AA[A-Za-z0-9_-]{33}/dg },
  { kind: 'a Spoq token', needles: ['spoq_'], pattern: /\bspoq_[A-Za-z0-9_-]{20,}/dg, accept: hasDigit },
  {
    kind: 'a JSON Web Token',
    needles: ['eyj'],
    pattern: /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/dg,
  },
  {
    kind: 'a password in a URL',
    needles: ['://'],
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"'`<>]{0,100}:(?<secret>[^\s@/"'`<>]{3,200})@/dgi,
    accept: (value) => !isPlaceholder(value),
  },
  {
    kind: 'an authorization header',
    needles: ['bearer', 'basic', 'token'],
    spansLines: true,
    pattern: /\b(?:bearer|basic|token)\s+(?<secret>[A-Za-z0-9_.~+/=-]{20,})/dgi,
    accept: (value) => hasDigit(value) && measureEntropy(value) >= 3.5,
  },
  {
    kind: 'a password or key',
    needles: KEY_NEEDLES,
    pattern: new RegExp(
      String.raw`${KEY_NAME}${BETWEEN}(?<quote>["'\x60])(?<secret>[^"'\x60\r\n]{8,500})\k<quote>`,
      'dgi',
    ),
    accept: looksRandom,
  },
  {
    // Without quotes only where it can't be prose: KEY=value anywhere, and `key: value` at the start of a line.
    kind: 'a password or key',
    needles: KEY_NEEDLES,
    pattern: new RegExp(
      String.raw`(?:${KEY_NAME}=|^[ \t-]*(?:export[ \t]+|set[ \t]+)?[\w.-]{0,40}${KEY_NAME}["']?[ \t]*[:=][ \t]+)(?<secret>[^\s"'\x60,;(){}<>[\]]{8,500})(?=$|[\s,;}])`,
      'dgim',
    ),
    accept: looksRandom,
  },
  {
    kind: 'a password or key',
    needles: KEY_NEEDLES,
    pattern: new RegExp(String.raw`<[\w.:-]{0,40}${KEY_NAME}>(?<secret>[^\s"'<>]{8,500})</`, 'dgi'),
    accept: looksRandom,
  },
  {
    // .netrc, and curl's user:password
    kind: 'a password or key',
    needles: ['machine', 'curl'],
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

/** The needles of every rule, by its number. */
export const RULE_NEEDLES: readonly (readonly string[])[] = RULES.map(({ needles }) => needles);

/** The numbers of the rules whose matches stay within a line. */
export const LINE_RULES: ReadonlySet<number> = new Set(
  RULES.flatMap(({ spansLines }, rule) => (spansLines === true ? [] : [rule])),
);

/** What the text looks to hold by the rule of that number; `undefined` for nothing. */
export function findSecret(text: string, rule: number): string | undefined {
  const withheld: Withheld[] = [];
  const one = RULES[rule];
  if (one !== undefined) applyRule(one, text, withheld);
  return withheld[0]?.kind;
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
