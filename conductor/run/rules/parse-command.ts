import { splitCommandLine } from './split-words.ts';
import type { Word } from './split-words.ts';

export interface ParsedCommand {
  /** Every program that is called, wherever it stands, with its arguments. */
  commands: string[][];
  /** False: there may be more, or other ones, than `commands` names. */
  understood: boolean;
}

/** How deep one command line may stand in another. */
const MAX_DEPTH = 8;
const ASSIGNMENT = /^([A-Za-z_]\w*)\+?=/;
/** They decide what a name leads to, or run something by themselves. */
const POWERFUL =
  /^(?:PATH|IFS|ENV|SHELLOPTS|PS4|PROMPT_COMMAND|EDITOR|PAGER|NODE_OPTIONS|(?:BASH|LD|GIT|PYTHON|PERL|RUBY|npm_config)_?\w*)$/;
const WORDS_BEFORE = new Set(['!', '{', 'if', 'then', 'else', 'elif', 'while', 'until', 'do', 'time']);
const WORDS_AFTER = new Set(['}', 'fi', 'done']);
/** What follows is no command, or not only. */
const UNREAD = new Set(['for', 'case', 'esac', 'select', 'function', 'coproc', '[[', 'in', 'eval', 'source', '.']);
const UNREAD_COMMANDS = new Set(['alias', 'unalias', 'trap', 'enable', 'hash', 'parallel', 'export', 'declare', 'set']);
const SHELLS = new Set(['sh', 'bash', 'dash', 'zsh', 'ksh', 'ash']);
const INTERPRETERS = /^(?:python|perl|ruby|node|nodejs|deno|bun|php|lua|awk|gawk|mawk|expect|tclsh|osascript)[\d.]*$/;
const CODE_FLAG = /^(?:-[a-zA-Z]*[cepr]|--(?:eval|print|exec|command))(?:=.*)?$/;

/** Programs that run the rest of their line: the options that take a value of their own. */
const WRAPPERS: Record<string, { valued: RegExp; operands?: number }> = {
  sudo: { valued: /^-[CDghpRrTtUu]$/ },
  doas: { valued: /^-[Cu]$/ },
  env: { valued: /^(?:-[uC]|--unset|--chdir)$/ },
  command: { valued: /^$/ },
  builtin: { valued: /^$/ },
  exec: { valued: /^-a$/ },
  nohup: { valued: /^$/ },
  setsid: { valued: /^$/ },
  nice: { valued: /^-n$/ },
  ionice: { valued: /^-[cnp]$/ },
  stdbuf: { valued: /^-[ioe]$/ },
  timeout: { valued: /^-[ks]$/, operands: 1 },
  time: { valued: /^-[fo]$/ },
  xargs: { valued: /^-[adEILnPs]$/ },
  busybox: { valued: /^$/ },
  chroot: { valued: /^$/, operands: 1 },
  unshare: { valued: /^$/ },
  watch: { valued: /^-n$/ },
};

/** Reads a command line as far as that is certain. Wrappers, subshells, substitutions and `bash -c` are looked into. */
export function parseCommand(text: string, depth = 0): ParsedCommand {
  if (depth > MAX_DEPTH) return { commands: [], understood: false };
  const { tokens, understood: isSplit } = splitCommandLine(text);
  const found: ParsedCommand = { commands: [], understood: isSplit };
  const add = (more: ParsedCommand): void => {
    found.commands.push(...more.commands);
    if (!more.understood) found.understood = false;
  };
  let words: Word[] = [];
  const flush = (): void => {
    if (words.length > 0) add(readSimple(words, depth));
    words = [];
  };
  let depthOfParentheses = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'word') {
      for (const inner of token.substitutions) add(parseCommand(inner, depth + 1));
      if (tokens[index - 1]?.kind !== 'redirection') words.push(token.word);
    } else if (token.kind === 'separator') {
      flush();
    } else if (token.kind !== 'redirection') {
      // `name()` makes a function; a second parenthesis calculates.
      if (token.kind === 'open' && (words.length > 0 || tokens[index + 1]?.kind === 'open')) found.understood = false;
      depthOfParentheses += token.kind === 'open' ? 1 : -1;
      if (depthOfParentheses < 0) found.understood = false;
      flush();
    }
  }
  flush();
  return found;
}

function readSimple(all: Word[], depth: number): ParsedCommand {
  let understood = true;
  let words = all;
  // A brace alone is a word of the shell, though a brace in a word expands.
  const isBefore = ({ text, literal }: Word): boolean => text === '{' || (literal && WORDS_BEFORE.has(text));
  while (words[0] !== undefined && isBefore(words[0])) words = words.slice(1);
  for (;;) {
    const name = ASSIGNMENT.exec(words[0]?.text ?? '')?.[1];
    if (name === undefined) break;
    if (POWERFUL.test(name)) understood = false;
    words = words.slice(1);
  }
  const [first] = words;
  if (first === undefined || WORDS_AFTER.has(first.text)) return { commands: [], understood };
  if (words.some(({ literal }) => !literal)) understood = false;
  const argv = words.map(({ text }) => text);
  const found = unwrap(argv, depth);
  return { commands: found.commands, understood: understood && found.understood };
}

function unwrap(argv: string[], depth: number): ParsedCommand {
  const [program = '', ...args] = argv;
  const name = program.split('/').at(-1) ?? '';
  const found: ParsedCommand = { commands: [argv], understood: true };
  if (depth > MAX_DEPTH) return { ...found, understood: false };
  const add = (more: ParsedCommand): ParsedCommand => ({
    commands: [...found.commands, ...more.commands],
    understood: found.understood && more.understood,
  });
  if (UNREAD.has(name) || UNREAD_COMMANDS.has(name)) {
    // What can be seen of it is still looked at.
    return { ...add(parseCommand(args.join(' '), depth + 1)), understood: false };
  }
  if (SHELLS.has(name)) return unwrapShell(args, add, depth);
  if (INTERPRETERS.test(name) && (args.some((arg) => CODE_FLAG.test(arg)) || /awk/.test(name)))
    return { ...found, understood: false };
  if (name === 'find' && args.some((arg) => /^-(?:exec|execdir|ok|okdir)$/.test(arg)))
    return {
      ...add(unwrap(args.slice(args.findIndex((arg) => /^-(?:exec|ok)/.test(arg)) + 1), depth + 1)),
      understood: false,
    };
  if (name === 'git' && args.some((arg) => /^(?:-c|--config-env|--exec-path)/.test(arg)))
    return { ...found, understood: false };
  const wrapper = Object.hasOwn(WRAPPERS, name) ? WRAPPERS[name] : undefined;
  if (wrapper === undefined) return found;
  const { rest, understood } = passOptions(args, wrapper.valued, wrapper.operands ?? 0);
  const isCertain = understood && name !== 'xargs' && name !== 'watch';
  if (rest.length === 0) return { ...found, understood: isCertain };
  const more = add(
    readSimple(
      rest.map((text) => ({ text, literal: true })),
      depth + 1,
    ),
  );
  return { ...more, understood: more.understood && isCertain };
}

/** `bash -c "…"` holds a command line; a script, or what comes by a pipe, is not known. */
function unwrapShell(args: string[], add: (more: ParsedCommand) => ParsedCommand, depth: number): ParsedCommand {
  const at = args.findIndex((arg) => /^-[a-zA-Z]*c[a-zA-Z]*$/.test(arg));
  const text = args.slice(at + 1).find((arg) => !/^[-+]/.test(arg));
  const isPlain = args.slice(0, at + 1).every((arg) => /^-[a-zA-Z]+$/.test(arg));
  if (at === -1 || text === undefined) return { ...add({ commands: [], understood: true }), understood: false };
  const more = add(parseCommand(text, depth + 1));
  return { ...more, understood: more.understood && isPlain && args[at + 1] === text };
}

function passOptions(args: string[], valued: RegExp, operands: number): { rest: string[]; understood: boolean } {
  let at = 0;
  let understood = true;
  while (args[at]?.startsWith('-') === true) {
    const option = args[at] ?? '';
    at += 1;
    if (option === '--') break;
    if (valued.test(option)) at += 1;
    // One that isn't known may take a value, or, as `env -S`, hold a whole command.
    else if (!/^(?:-[AEHbiknPprsv0]|-[a-zA-Z]?\d+|--[a-z-]+=.*)$/.test(option)) understood = false;
  }
  return { rest: args.slice(at + operands), understood };
}
