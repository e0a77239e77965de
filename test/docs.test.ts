import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { runCli } from '../cli/program.ts';
import { createTestDeps } from '../cli/testing/create-test-deps.ts';
import { ERRORS } from '../contract/errors.ts';
import { FATES, GRACE_DAYS } from '../control-plane/billing/life.ts';
import { QUEUES } from '../control-plane/jobs/queues.ts';
import { createMetrics } from '../control-plane/metrics.ts';
import { RATE_LIMITS } from '../control-plane/middleware/rate-limit.ts';
import { runOperator } from '../control-plane/operator/run-operator.ts';

const ROOT = path.dirname(import.meta.dirname);
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)));

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm;
const withoutCode = (text: string): string => text.replaceAll(FENCE, '');

/** What a page tells people to type: the lines of its shell blocks without prompt and comment. */
function listCommands(page: string): string[] {
  return [...read(page).matchAll(FENCE)]
    .filter(([, language = '']) => ['', 'sh', 'console'].includes(language))
    .flatMap(([, language, body = '']) => {
      const lines = body.split('\n').map((line) => line.replace(/(^|\s+)#.*$/, ''));
      return language === 'console'
        ? lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2))
        : lines;
    })
    .filter((line) => line !== '');
}

/** The words of the program that is called, up to a pipe; a text in quotes is one word. */
function splitCall(line: string, program: RegExp): string[] | undefined {
  const call = program.exec(line);
  if (call === null) return undefined;
  const words = line.slice(call.index + call[0].length).match(/"[^"]*"|'[^']*'|[^\s"')]+/g) ?? [];
  const end = words.findIndex((word) => /^[|;&>]/.test(word));
  return end === -1 ? words : words.slice(0, end);
}

const SPOQ = /(?<![\w/-])(?:\.spoq\/bin\/)?spoq(?= |$)/;
const OPERATOR = /npm run (?:-s )?operator --(?= |$)/;

interface Help {
  commands: string[];
  flags: Record<string, string[]>;
}

/** Commands and flags by the program's own `--help`. `print` answers what it says to these arguments. */
async function readHelp(print: (args: string[]) => Promise<string>): Promise<Help> {
  const flagsIn = (text: string): string[] => text.match(/(?<=^ +(?:-\w, )?)--?[\w-]+/gm) ?? [];
  const top = await print(['--help']);
  const section = /^Commands:\n((?: .*\n?)+)/m.exec(top)?.[1] ?? '';
  const commands = [...section.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
  const flags: Help['flags'] = { '': flagsIn(top) };
  for (const name of commands) flags[name] = [...flagsIn(top), ...flagsIn(await print([name, '--help']))];
  return { commands, flags };
}

/** What of a call the program doesn't know. */
function findUnknown(words: string[], help: Help): string[] {
  const [command = ''] = words;
  const flags = words.filter((word) => /^--?\w/.test(word));
  if (command.startsWith('-') || command === '') return flags.filter((flag) => !help.flags['']?.includes(flag));
  if (!help.commands.includes(command)) return [command];
  return flags.filter((flag) => !help.flags[command]?.includes(flag)).map((flag) => `${command} ${flag}`);
}

async function printSpoq(args: string[]): Promise<string> {
  const deps = createTestDeps();
  await runCli(deps, args);
  return deps.out();
}

async function printOperator(args: string[]): Promise<string> {
  let text = '';
  const out = (words: string): void => void (text += `${words}\n`);
  await runOperator(args, { env: {}, out, say: out, signal: new AbortController().signal });
  return text;
}

/** As GitHub makes them of headings. */
function listAnchors(page: string): string[] {
  const headings = [...withoutCode(read(page)).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('README and docs', () => {
  it('link to what is there', () => {
    const broken = PAGES.flatMap((page) =>
      [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => {
          const [file = '', anchor] = target.split('#');
          const found = file === '' ? page : path.join(path.dirname(page), file);
          if (!existsSync(path.join(ROOT, found))) return true;
          return anchor !== undefined && !listAnchors(found).includes(anchor);
        })
        .map((target) => `${page}: ${target}`),
    );
    expect(broken).to.deep.equal([]);
    expect(PAGES).to.include.members(['README.md', 'docs/operations.md', 'docs/cli.md']);
  });

  it('name only scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = PAGES.flatMap((page) =>
      [...read(page).matchAll(/\bnpm (?:run (?:-s )?([a-z]\w*)|(start|test)\b)/g)].map((match) => match[1] ?? match[2]),
    );
    expect(named).to.include.members(['start', 'test', 'journey', 'operator']);
    expect(named.filter((name) => !Object.hasOwn(scripts, name ?? ''))).to.deep.equal([]);
  });

  const programs = [
    { name: 'spoq', call: SPOQ, print: printSpoq, page: 'docs/cli.md', heading: /^\| `spoq (\w+)` \|/gm },
    {
      name: 'operator',
      call: OPERATOR,
      print: printOperator,
      page: 'docs/operations.md',
      heading: /operator -- (\w+)/g,
    },
  ];
  for (const { name, call, print, page, heading } of programs) {
    it(`call ${name} as its --help says`, async () => {
      const help = await readHelp(print);
      const calls = PAGES.flatMap(listCommands).flatMap((line) => {
        const words = splitCall(line, call);
        return words === undefined ? [] : [{ line, words }];
      });
      expect(calls.length).to.be.at.least(5);
      const wrong = calls.filter(({ words }) => findUnknown(words, help).length > 0).map(({ line }) => line);
      expect(wrong).to.deep.equal([]);
    });

    it(`describe every command and flag of ${name}`, async () => {
      const { commands, flags } = await readHelp(print);
      const described = [...read(page).matchAll(heading)].map(([, command]) => command);
      expect(commands.filter((command) => command !== 'help' && !described.includes(command))).to.deep.equal([]);
      const all = new Set(Object.values(flags).flat());
      expect([...all].filter((flag) => flag.startsWith('--') && !read(page).includes(flag))).to.deep.equal(
        name === 'operator' ? ['--help'] : [],
      );
    });
  }

  it('describe the variables and exit codes that spoq --help names', async () => {
    const help = await printSpoq(['--help']);
    const page = read('docs/cli.md');
    const variables = [...(help.split('Environment:')[1] ?? '').matchAll(/^ {2}([A-Z_]+)/gm)].map(([, one]) => one);
    expect(variables).to.include.members(['SPOQ_URL', 'SPOQ_HOME', 'NO_COLOR']);
    expect(variables.filter((variable) => !page.includes(`| \`${variable}\` |`))).to.deep.equal([]);
    const codes = [0, ...new Set(Object.values(ERRORS).map(({ exit }) => exit))].map(String);
    const inHelp = [...(help.split('Exit codes:')[1] ?? '').matchAll(/\b(\d+) /g)].map(([, code]) => code);
    const onPage = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => code);
    expect(inHelp).to.have.members(codes);
    expect(onPage).to.have.members(codes);
  });

  it('tell what is destroyed when as the code does', () => {
    const rows = read('docs/operations.md')
      .split('\n')
      .filter((line) => /^\| `(active|past_due|cancelled|expired)` \|/.test(line))
      .map((line) => line.split(' | ').slice(0, 4).join(' | '));
    const table = Object.entries(FATES).map(
      ([status, { means, first, later }]) => `| \`${status}\` | ${means} | ${first} | ${later}`,
    );
    expect(rows).to.deep.equal(table);
    expect(read('docs/operations.md')).to.include(`One grace period of ${GRACE_DAYS} days`);
  });

  it('name the tests of attacks and faults as they are called', () => {
    const rows = read('docs/security.md')
      .split(/^## (?:Attacks|Faults), .*$/m)
      .slice(1)
      .flatMap((section) => [...(section.split('\n## ')[0] ?? '').matchAll(/^\| (.*) \|$/gm)])
      .map(([, row = '']) => row.split(' | '))
      .filter(([what]) => what !== 'what comes in' && what !== 'what happens' && !what?.startsWith('--'));
    expect(rows.length).to.be.above(40);
    const wrong = rows.flatMap(([what, , held = '']) => {
      const tests = held.split('; ').map((one) => /^`([\w./-]+\.ts)` (".+")$/.exec(one));
      return tests.flatMap((test) => {
        const [, file = '', titles = ''] = test ?? [];
        if (!existsSync(path.join(ROOT, file)) || titles === '') return [`${what}: ${held}`];
        // A title stands in its source in quotes of one kind or another.
        const source = read(file).replaceAll("\\'", "'");
        const named = titles.slice(1, -1).split('", "');
        return named.filter((title) => !source.includes(title)).map((title) => `${file}: ${title}`);
      });
    });
    expect(wrong).to.deep.equal([]);
  });

  it('list every queue, metric and rate limit with its numbers', async () => {
    const page = read('docs/operations.md');
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const first = (row: string): string => /^\| `([^`]+)`/.exec(row)?.[1] ?? '';
    const text = await createMetrics().registry.metrics();
    const metrics = [...text.matchAll(/^# HELP (spoq_\w+)/gm)].map(([, metric]) => metric);
    expect(metrics).to.include('spoq_boxes');
    const names = rows.map(first);
    expect([...Object.values(QUEUES), ...metrics].filter((one) => !names.includes(one ?? ''))).to.deep.equal([]);
    const limits = Object.entries(RATE_LIMITS).map(
      ([kind, { points, seconds }]) => `${kind}: ${points} in ${seconds / 60} min`,
    );
    const described = rows.map((row) => `${first(row)}: ${row.split(' | ')[2] ?? ''}`);
    expect(limits.filter((limit) => !described.includes(limit))).to.deep.equal([]);
  });
});
