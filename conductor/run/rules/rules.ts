/** What a rule can be about. */
export const RULE_TOOLS = ['read', 'edit', 'shell', 'network', 'fetch', 'mcp'] as const;
export type RuleTool = (typeof RULE_TOOLS)[number];

/** `shell(npm test *)`: a tool, and where it applies; everywhere when there is no pattern. */
export interface Rule {
  text: string;
  tool: RuleTool;
  pattern: string | undefined;
}

/** All rules that hold for a run, by where they come from. */
export interface RuleSet {
  deny: Rule[];
  /** What the person allowed for this run, or for good by "always". */
  granted: Rule[];
  ask: Rule[];
  allow: Rule[];
}

const RULE = /^([a-z]+)(?:\(([^\0\n]*[^\0\n\s][^\0\n]*)\))?$/;

/** Throws an Error that says what is wrong with it. */
export function parseRule(text: string): Rule {
  const found = RULE.exec(text.trim());
  const tool = RULE_TOOLS.find((one) => one === found?.[1]);
  if (found === null || tool === undefined) {
    throw new Error(
      `'${text}' is no rule: write ${RULE_TOOLS.join(', ')}, or one of them with a pattern, as shell(npm test *)`,
    );
  }
  const pattern = found[2]?.trim();
  return { text: text.trim(), tool, pattern };
}

/** Words of a pattern for commands: quotes keep spaces and stars as they are. */
export function splitPattern(pattern: string): { glob: string }[] {
  const words = pattern.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return words.map((word) => ({
    glob: word.replaceAll(/'([^']*)'|([^']+)/g, (_, quoted: string | undefined, plain: string | undefined) =>
      quoted === undefined ? (plain ?? '') : quoted.replaceAll(/[*?\\]/g, String.raw`\$&`),
    ),
  }));
}

/** A command as the pattern that allows it and nothing else. */
export function formatCommand(argv: string[]): string {
  const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`);
  return argv.map(quote).join(' ');
}

/** Whether a pattern can say it: quotes and line ends it can't. */
export function isExpressible(argv: string[]): boolean {
  return argv.every((word) => word !== '' && !/['\n\0()]/.test(word));
}

/** `*` and `?` within a part between slashes, `**` over them; a backslash takes the meaning. Without slashes: of the last part. */
export function matchesPath(pattern: string, path: string): boolean {
  const anchored = pattern.includes('/') ? pattern.replace(/^\.?\//, '') : `**/${pattern}`;
  return toRegExp(anchored, true).test(path);
}

/** `*` is anything. Upper and lower case are the same. */
export function matchesName(pattern: string, name: string): boolean {
  return toRegExp(pattern.toLowerCase(), false).test(name.toLowerCase());
}

export function matchesWord(glob: string, word: string): boolean {
  return toRegExp(glob, false).test(word);
}

function toRegExp(glob: string, isPath: boolean): RegExp {
  const one = isPath ? '[^/]' : '[\\s\\S]';
  const source = glob.replaceAll(
    /\\([\s\S])|\*\*\/|\/\*\*$|\*\*|\*|\?|[\s\S]/g,
    (part, escaped: string | undefined): string => {
      if (escaped !== undefined) return escapeRegExp(escaped);
      if (isPath && part === '**/') return '(?:[\\s\\S]*/)?';
      if (isPath && part === '/**') return '(?:/[\\s\\S]*)?';
      if (part === '**' || part === '**/' || part === '/**') return '[\\s\\S]*';
      if (part === '*') return `${one}*`;
      return part === '?' ? one : escapeRegExp(part);
    },
  );
  return new RegExp(`^${source}$`, 'u');
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, (char) => (char === '-' ? '\\x2d' : `\\${char}`));
}
