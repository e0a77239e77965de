import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)))
  .toSorted();
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const sources = tracked.filter((file) => /\.(ts|mjs)$/.test(file) && !file.endsWith('.d.ts'));
const production = sources.filter((file) => !isForTests(file));

/** Which folders a folder may import from, besides itself. Tools drive all parts from outside, as processes. */
const ARROWS: Record<string, readonly string[]> = {
  contract: [],
  sync: ['contract'],
  cli: ['contract', 'sync'],
  conductor: ['contract', 'sync'],
  'cloud-init': [],
  stacks: ['contract', 'cloud-init'],
  'control-plane': ['contract'],
  'control-plane/engine': ['contract', 'control-plane', 'stacks'],
  sandbox: [],
  tools: ['contract', 'control-plane/config.ts', 'test/harness', 'bench'],
  bench: ['contract', 'tools', 'control-plane', 'stacks', 'sandbox', 'test/harness'],
};

function isForTests(file: string): boolean {
  return (
    file.endsWith('.test.ts') ||
    file.startsWith('test/') ||
    /\/testing(\/|\.ts$)/.test(file) ||
    file.includes('/fixtures/')
  );
}

/** The files of this clone that `file` imports, relative to the root. */
function importsOf(file: string): string[] {
  const specifiers = [...read(file).matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"](\.[^'"]+)['"]/g)];
  return specifiers.map(([, target = '']) => path.join(path.dirname(file), target));
}

function partOf(file: string): string {
  return file.startsWith('control-plane/engine/') ? 'control-plane/engine' : (file.split('/')[0] ?? '');
}

function isAllowed(file: string, target: string): boolean {
  const part = partOf(file);
  if (target.startsWith(`${part}/`)) return true;
  if (target === 'package.json') return true; // the version
  if (part === 'control-plane' && target.startsWith('control-plane/engine/')) return true;
  return (ARROWS[part] ?? []).some((allowed) => target === allowed || target.startsWith(`${allowed}/`));
}

describe('the architecture', () => {
  it('has imports that point one way', () => {
    const wrong = production
      .filter((file) => partOf(file) in ARROWS)
      .flatMap((file) => importsOf(file).map((target) => ({ file, target })))
      .filter(({ file, target }) => !isAllowed(file, target))
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(wrong).to.deep.equal([]);
  });

  it('lets only control-plane/engine know the stacks', () => {
    const wrong = production
      .filter((file) => file.startsWith('control-plane/') && !file.startsWith('control-plane/engine/'))
      .filter((file) => importsOf(file).some((target) => target.startsWith('stacks/')));
    expect(wrong).to.deep.equal([]);
  });

  it('keeps files small enough to read', () => {
    const limit = (file: string): number => (file.endsWith('.test.ts') ? 600 : 300);
    const lines = (file: string): number => read(file).split('\n').length - 1;
    const wrong = sources.filter((file) => lines(file) > limit(file)).map((file) => `${file} has ${lines(file)} lines`);
    expect(wrong).to.deep.equal([]);
  });

  it('reads the environment, handles signals and exits only where a program begins', () => {
    // Both plugins' executables begin with serve-plugin.ts; they are started by the engine, not by us.
    const others = [
      'tools/setup.mjs',
      'tools/run-tool.ts',
      'knexfile.ts',
      'control-plane/operator.ts',
      'sandbox/plugins/serve-plugin.ts',
    ];
    const isEntry = (file: string): boolean => /(^|\/)main\.ts$/.test(file) || others.includes(file);
    const pattern = /\bprocess\.(env\b|exit\(|on\(|once\(|exitCode\b)/;
    const wrong = production.filter((file) => !isEntry(file) && pattern.test(stripComments(read(file))));
    expect(wrong).to.deep.equal([]);
  });

  it('does nothing when a module is imported, except in the files that are run', () => {
    const wrong = production
      .filter((file) => file.startsWith('tools/') && /^await /m.test(read(file)))
      .map((file) => path.basename(file, '.ts'));
    const commands = /const COMMANDS = \[(.*)\]/.exec(read('tools/setup.mjs'))?.[1]?.match(/\w+/g) ?? [];
    expect(wrong).to.deep.equal(commands.toSorted());
  });

  it('has no trace of the machine it was written on, nor of a registry', () => {
    const texts = tracked.filter(
      (file) => !/\.(png|jpg|ico|woff2?)$/.test(file) && file !== 'test/architecture.test.ts',
    );
    const host = String.raw`registry\.npmjs|registry\.yarnpkg|proxy\.golang|deb\.debian|pypi\.org|crates\.io`;
    const pattern = new RegExp(String.raw`(^|[^.\w])/(work|farm|root)/|"resolved": *"http|${host}`, 'm');
    const wrong = texts.filter((file) => pattern.test(read(file)));
    expect(wrong).to.deep.equal([]);
  });

  it('leaves nothing half done, and no check switched off without a reason', () => {
    const pattern = /\b(TODO|FIXME)\b|@ts-ignore|@ts-expect-error|(eslint|oxlint)-disable(?!.* -- \w)/;
    const wrong = sources.filter((file) => file !== 'test/architecture.test.ts' && pattern.test(read(file)));
    const untyped = sources.filter(
      (file) => /\bas any\b/.test(stripComments(read(file))) && !file.startsWith('test/arch'),
    );
    expect([...wrong, ...untyped]).to.deep.equal([]);
  });
});

function stripComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}
