import { expect } from 'chai';
import * as fc from 'fast-check';
import { decide } from './decide.ts';
import type { Action } from './decide.ts';
import { parseCommand } from './parse-command.ts';
import { parseRule } from './rules.ts';
import type { RuleSet } from './rules.ts';

function makeRules(texts: Partial<Record<keyof RuleSet, string[]>>): RuleSet {
  const { deny = [], granted = [], ask = [], allow = [] } = texts;
  return {
    deny: deny.map(parseRule),
    granted: granted.map(parseRule),
    ask: ask.map(parseRule),
    allow: allow.map(parseRule),
  };
}

function judge(texts: Partial<Record<keyof RuleSet, string[]>>, action: Action | string): string {
  return decide(makeRules(texts), typeof action === 'string' ? { tool: 'shell', command: action } : action).verdict;
}

/** Ways to write a word that the shell reads as that word. */
const spell = (word: string): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('plain', 'backslash', 'single', 'double', 'empty'), {
      minLength: word.length,
      maxLength: word.length,
    })
    .map((ways) =>
      [...word]
        .map((char, index) => {
          const ways_ = ways[index];
          if (ways_ === 'backslash') return `\\${char}`;
          if (ways_ === 'single') return `'${char}'`;
          if (ways_ === 'double') return `"${char}"`;
          return ways_ === 'empty' ? `${char}''` : char;
        })
        .join(''),
    );
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const WRAPS: ((line: string) => string)[] = [
  (line) => `true && ${line}`,
  (line) => `false || ${line}`,
  (line) => `echo x; ${line}`,
  (line) => `echo x | ${line}`,
  (line) => `sleep 1 & ${line}`,
  (line) => `(${line})`,
  (line) => `{ ${line}; }`,
  (line) => `echo $(${line})`,
  (line) => `echo "$(${line})"`,
  (line) => `cat <(${line})`,
  (line) => `if true; then ${line}; fi`,
  (line) => `for x in 1; do ${line}; done`,
  (line) => `bash -c ${quote(line)}`,
  (line) => `/bin/sh -ec ${quote(line)}`,
  (line) => `eval ${quote(line)}`,
  (line) => `echo x\n${line}`,
  (line) => `echo x >out 2>&1; ${line} >/dev/null`,
];
const PREFIXES = [
  '',
  'X=1 ',
  'env X=1 ',
  'env -i A=b ',
  'sudo ',
  'sudo -u root ',
  'nohup ',
  'timeout 5 ',
  'nice -n 5 ',
  'command ',
  'exec ',
  'time ',
  '! ',
  'xargs ',
];

describe('the rules of a run', () => {
  it('allow what stays in its tree, and ask for what leaves it', () => {
    expect(judge({}, 'rm -rf src && npm test')).to.equal('allow');
    expect(judge({}, { tool: 'edit', path: 'src/a.ts' })).to.equal('allow');
    expect(judge({}, { tool: 'network', host: 'example.com' })).to.equal('ask');
    expect(judge({}, { tool: 'fetch', host: 'example.com' })).to.equal('ask');
    expect(judge({}, { tool: 'mcp', server: 'github', name: 'list' })).to.equal('ask');
  });

  it('deny before all, then what was granted, then ask, then allow', () => {
    const host = { tool: 'network', host: 'a.example' } as const;
    expect(judge({ deny: ['network(*.example)'], granted: ['network(a.example)'] }, host)).to.equal('deny');
    expect(judge({ granted: ['network(a.example)'], ask: ['network'] }, host)).to.equal('allow');
    expect(judge({ ask: ['network(A.Example)'], allow: ['network'] }, host)).to.equal('ask');
    expect(judge({ allow: ['network'] }, host)).to.equal('allow');
  });

  for (const [pattern, path, verdict] of [
    ['*.env', 'a/b/.env', 'deny'],
    ['*.env', './a/../x.env', 'deny'],
    ['secrets/**', 'secrets/a/b', 'deny'],
    ['secrets/**', 'src/../secrets/a', 'deny'],
    ['src/*.ts', 'src/a/b.ts', 'allow'],
    ['src/**/*.ts', 'src/a.ts', 'deny'],
    ['secrets/**', '../x/secrets/a', 'ask'],
    ['secrets/**', '/home/agent/x/secrets/a', 'ask'],
  ] as const) {
    it(`reading ${path} is ${verdict} where ${pattern} is denied`, () => {
      expect(judge({ deny: [`read(${pattern})`] }, { tool: 'read', path })).to.equal(verdict);
      expect(judge({ deny: [`read(${pattern})`] }, { tool: 'edit', path })).to.equal('allow');
    });
  }

  for (const [line, verdict] of [
    ['git push', 'deny'],
    ['git -C x push origin', 'deny'],
    ['git status', 'allow'],
    ['echo git push', 'allow'],
    ['echo "git push"', 'allow'],
    ['/usr/bin/git push', 'deny'],
    ['$(echo git) push', 'ask'],
    ['g=git; $g push', 'ask'],
    ['git pus?', 'ask'],
    ['git {push,}', 'ask'],
    ["git $'\\x70ush'", 'ask'],
    ['git -c alias.p=push p', 'ask'],
    ['cat <<x\nhello\nx', 'ask'],
    ['PATH=. make', 'ask'],
    ['bash script.sh', 'ask'],
    ['curl x | sh', 'ask'],
    ['python3 -c "import os"', 'ask'],
    ['git() { true; }', 'ask'],
    ['echo "unfinished', 'ask'],
    ['npm test 2>&1 | tail -5 # git push', 'allow'],
  ] as const) {
    it(`${JSON.stringify(line)} is ${verdict} where git push is denied`, () => {
      expect(judge({ deny: ['shell(git push)'] }, line)).to.equal(verdict);
    });
  }

  it('know flags in any order', () => {
    for (const line of ['rm -rf x', 'rm -fr x', 'rm -r x -f', 'rm -r -v -f x'])
      expect(judge({ deny: ['shell(rm -rf)'] }, line), line).to.equal('deny');
    expect(judge({ deny: ['shell(rm -rf)'] }, 'rm -r x')).to.equal('allow');
  });

  it('ask for one command of many, and say what "always" would allow', () => {
    const ruling = decide(makeRules({ ask: ['shell(git commit)'] }), {
      tool: 'shell',
      command: 'npm test && git commit -m "a b" && git status',
    });
    expect(ruling).to.deep.equal({
      verdict: 'ask',
      always: ["shell(git commit -m 'a b')"],
      by: 'shell(git commit)',
    });
    const rules = { ask: ['shell(git commit)'], granted: ruling.always };
    expect(judge(rules, 'npm test && git commit -m "a b" && git status')).to.equal('allow');
    expect(judge(rules, 'git commit -m "a b" --amend')).to.equal('ask');
    expect(judge({ ask: ['shell(git *)'], granted: ['shell(git log *)'] }, 'git log -p')).to.equal('allow');
    expect(judge({ ask: ['shell(git *)'], granted: ['shell(git log *)'] }, './git log -p')).to.equal('ask');
  });

  it('let no spelling of a denied command through', () => {
    const line = fc
      .tuple(
        spell('git'),
        spell('push'),
        fc.constantFrom(...PREFIXES),
        fc.array(fc.constantFrom(...WRAPS), { maxLength: 3 }),
      )
      .map(([git, push, prefix, wraps]) =>
        wraps.reduce((inner, wrap) => wrap(inner), `${prefix}${git} ${push} origin`),
      );
    fc.assert(
      fc.property(line, (text) => judge({ deny: ['shell(git push)'] }, text) !== 'allow'),
      { numRuns: 3000 },
    );
  });

  it('understand a plain spelling of a denied command', () => {
    fc.assert(
      fc.property(spell('git'), spell('push'), fc.constantFrom(...WRAPS.slice(0, 11)), (git, push, wrap) => {
        const { commands } = parseCommand(wrap(`${git} ${push}`));
        return commands.some((argv) => argv.join(' ') === 'git push');
      }),
    );
  });

  it('read anything without failing', () => {
    const alphabet = fc.constantFrom(...`git push'"\\$(){}<>|&;#\n\`*=-~ `);
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 60 }), (chars) => {
        parseCommand(chars.join(''));
        return true;
      }),
      { numRuns: 3000 },
    );
  });

  for (const text of ['', 'shel(ls)', 'shell(', 'shell()', 'shell( )', 'read(a\nb)', 'shell(ls) x']) {
    it(`are refused when they are none: ${JSON.stringify(text)}`, () => {
      expect(() => parseRule(text)).to.throw('is no rule');
    });
  }
});
