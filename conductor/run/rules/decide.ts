import { posix } from 'node:path';
import { parseCommand } from './parse-command.ts';
import {
  formatCommand,
  isExpressible,
  matchesName,
  matchesPath,
  matchesWord,
  parseRule,
  splitPattern,
} from './rules.ts';
import type { Rule, RuleSet, RuleTool } from './rules.ts';

/** What somebody wants to do. */
export type Action =
  | { tool: 'read' | 'edit'; path: string }
  | { tool: 'shell'; command: string }
  | { tool: 'network' | 'fetch'; host: string }
  | { tool: 'mcp'; server: string; name: string };

export interface Ruling {
  verdict: 'allow' | 'ask' | 'deny';
  /** What "always" would add; none where no rule can say it. */
  always: string[];
  /** The rule that decided, where one did. */
  by: string | undefined;
}

type Verdict = Ruling['verdict'];

/** What stays in the confined tree can harm nothing: it is what a run is for. What leaves it is asked for. */
const DEFAULTS: Record<RuleTool, Verdict> = {
  read: 'allow',
  edit: 'allow',
  shell: 'allow',
  network: 'ask',
  fetch: 'ask',
  mcp: 'ask',
};

/** Deny beats all; then what the person granted; then ask, then allow, then what holds without rules. */
export function decide(rules: RuleSet, action: Action): Ruling {
  if (action.tool === 'shell') return decideShell(rules, action.command);
  const always = [describe(action)];
  for (const [verdict, list] of inOrder(rules)) {
    const found = list.find((rule) => rule.tool === action.tool && matches(rule.pattern, action));
    if (found !== undefined) return { verdict, always, by: found.text };
  }
  // A path that isn't plainly one in the tree is not let past by what doesn't match it.
  const isOdd = 'path' in action && normalize(action.path) === undefined;
  const hasPatterns = [...rules.deny, ...rules.ask].some(({ tool }) => tool === action.tool);
  return { verdict: isOdd && hasPatterns ? 'ask' : DEFAULTS[action.tool], always, by: undefined };
}

function inOrder(rules: RuleSet): [Verdict, Rule[]][] {
  return [
    ['deny', rules.deny],
    ['allow', rules.granted],
    ['ask', rules.ask],
    ['allow', rules.allow],
  ];
}

function matches(pattern: string | undefined, action: Exclude<Action, { tool: 'shell' }>): boolean {
  if (pattern === undefined) return true;
  if ('path' in action) {
    const path = normalize(action.path);
    return path !== undefined && matchesPath(pattern, path);
  }
  if ('host' in action) return matchesName(pattern, action.host.replace(/\.$/, ''));
  return matchesName(pattern, action.server) || matchesName(pattern, `${action.server}/${action.name}`);
}

/** Relative to the tree; undefined for what leads out of it. */
function normalize(path: string): string | undefined {
  const normal = posix.normalize(path);
  return normal.startsWith('/') || normal === '..' || normal.startsWith('../') ? undefined : normal;
}

function describe(action: Exclude<Action, { tool: 'shell' }>): string {
  if ('path' in action) return `${action.tool}(${normalize(action.path) ?? action.path})`;
  if ('host' in action) return `${action.tool}(${action.host.toLowerCase()})`;
  return `mcp(${action.server})`;
}

function decideShell(rules: RuleSet, text: string): Ruling {
  const { commands, understood } = parseCommand(text);
  const of = (list: Rule[]): Rule[] => list.filter(({ tool }) => tool === 'shell');
  const denied = of(rules.deny).find(
    (rule) => commands.some((argv) => concerns(rule.pattern, argv)) || rule.pattern === undefined,
  );
  if (denied !== undefined) return { verdict: 'deny', always: [], by: denied.text };
  const restricting = [...of(rules.deny), ...of(rules.ask)];
  const asking: string[][] = [];
  let by: string | undefined;
  for (const argv of commands) {
    if (of(rules.granted).some((rule) => isExactly(rule.pattern, argv))) continue;
    const asked = of(rules.ask).find((rule) => concerns(rule.pattern, argv));
    if (asked === undefined) continue;
    by ??= asked.text;
    asking.push(argv);
  }
  const isGranted = of(rules.granted).some(({ pattern }) => pattern === undefined);
  if (!understood && restricting.length > 0 && !isGranted)
    return { verdict: 'ask', always: [], by: by ?? restricting[0]?.text };
  if (asking.length === 0) return { verdict: DEFAULTS.shell, always: [], by: undefined };
  const always = asking.every(isExpressible) ? asking.map((argv) => `shell(${formatCommand(argv)})`) : [];
  return { verdict: 'ask', always, by };
}

/**
 * Whether a rule that denies or asks is about a command: its words in this order, others may stand between. `-rf` is also `-f -r`. The
 * program by its name, wherever it lies.
 */
function concerns(pattern: string | undefined, argv: string[]): boolean {
  if (pattern === undefined) return true;
  const [program, ...wanted] = splitPattern(pattern);
  const [called = '', ...args] = argv;
  const names = [called, called.split('/').at(-1) ?? ''];
  if (program === undefined || !names.some((name) => matchesWord(program.glob, name))) return false;
  const letters = new Set(args.filter((arg) => /^-[A-Za-z]+$/.test(arg)).flatMap((arg) => arg.slice(1).split('')));
  let at = 0;
  for (const { glob } of wanted) {
    if (glob === '*') continue;
    if (
      /^-[A-Za-z]+$/.test(glob) &&
      glob
        .slice(1)
        .split('')
        .every((letter) => letters.has(letter))
    )
      continue;
    const found = args.slice(at).findIndex((arg) => matchesWord(glob, arg));
    if (found === -1) return false;
    at += found + 1;
  }
  return true;
}

/** Whether a rule that allows is about a command: word by word; a star at the end stands for any number of them. */
function isExactly(pattern: string | undefined, argv: string[]): boolean {
  if (pattern === undefined) return true;
  const words = splitPattern(pattern);
  const isOpen = words.at(-1)?.glob === '*';
  const fixed = isOpen ? words.slice(0, -1) : words;
  if (isOpen ? argv.length < fixed.length : argv.length !== fixed.length) return false;
  return fixed.every(({ glob }, index) => matchesWord(glob, argv[index] ?? ''));
}

/** The rules that were answered with "always", as far as they can be read. */
export function parseGranted(texts: string[]): Rule[] {
  return texts.map(parseRule);
}
