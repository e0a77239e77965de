import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildRelease, hostTarget, releaseName } from './build-release.ts';
import type { BuiltFile, Target } from './build-release.ts';
import { getPlugins } from './plugins.ts';
import { runCommand } from './run-command.ts';
import { describeRun } from './summary.ts';
import { createTerminal } from './terminal.ts';
import { writeWrappers } from './wrappers.ts';
import { openStateFolder } from './state-folder.ts';

/** A clone in miniature whose `bun` writes down what it was asked for. */
describe('a release', () => {
  let root: string;
  let out: string;

  function writeBun(script: string): void {
    const file = path.join(root, 'node_modules', '.bin', 'bun');
    writeFileSync(file, script);
    chmodSync(file, 0o755);
  }
  const build = (...targets: Target[]): Promise<BuiltFile[]> =>
    buildRelease(out, targets, { root, env: { PATH: '/usr/bin:/bin' }, onProgress: () => {} });

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'spoq-release-'));
    out = path.join(root, 'out');
    for (const folder of ['cli', 'conductor', 'contract', 'node_modules/.bin', 'out'])
      mkdirSync(path.join(root, folder), { recursive: true });
    for (const file of ['cli/main.ts', 'conductor/main.ts', 'contract/a.ts', 'package.json', 'package-lock.json'])
      writeFileSync(path.join(root, file), file);
    writeBun('#!/bin/sh\nfor word; do [ "$last" = --outfile ] && out=$word; last=$word; done\necho "$@" > "$out"\n');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('has spoq for every target and the conductor for Linux, with checksums and for old processors', async () => {
    const files = await build('linux-x64', 'darwin-arm64', 'windows-x64');
    const names = ['spoq-linux-amd64', 'conductor-linux-amd64', 'spoq-darwin-arm64', 'spoq-windows-amd64.exe'];
    expect(
      files.filter(({ name }) => !name.startsWith(`conductor-${process.platform}`) || process.platform === 'linux'),
    ).to.deep.equal(names.map((name) => ({ name, built: true })));
    const asked = readFileSync(path.join(out, 'spoq-linux-amd64'), 'utf8');
    expect(asked).to.match(
      /^build --compile --minify --bytecode [^/]*--target=bun-linux-x64-baseline --outfile \S+ \S+cli\/main\.ts\n$/,
    );
    const sum = createHash('sha256')
      .update(readFileSync(path.join(out, 'spoq-darwin-arm64')))
      .digest('hex');
    expect(readFileSync(path.join(out, 'SHA256SUMS'), 'utf8')).to.contain(`${sum}  spoq-darwin-arm64\n`);
    expect(readdirSync(out).filter((name) => name.startsWith('.new-'))).to.deep.equal([]);
  });

  it('compiles again only what was made of other sources', async () => {
    await build('linux-x64');
    expect((await build('linux-x64')).map(({ built }) => built)).to.deep.equal([false, false]);
    writeFileSync(path.join(root, 'cli', 'main.test.ts'), 'tests are not inside');
    expect((await build('linux-x64')).map(({ built }) => built)).to.deep.equal([false, false]);
    writeFileSync(path.join(root, 'cli', 'main.ts'), 'changed');
    expect((await build('linux-x64')).map(({ built }) => built)).to.deep.equal([true, false]);
    writeFileSync(path.join(root, 'contract', 'a.ts'), 'changed');
    expect((await build('linux-x64')).map(({ built }) => built)).to.deep.equal([true, true]);
  });

  it('keeps what is there when the compiler fails, and says what it said', async () => {
    await build('linux-x64');
    writeFileSync(path.join(root, 'cli', 'main.ts'), 'broken');
    writeBun('#!/bin/sh\necho "error: no such thing" >&2\nexit 1\n');
    const error = await build('linux-x64').catch((reason: unknown) => reason);
    const message = `bun could not compile spoq-linux-amd64; what was in ${out} is kept. It said:\nerror: no such thing`;
    expect(error).to.be.an('error').with.property('message', message);
    expect(readFileSync(path.join(out, 'spoq-linux-amd64'), 'utf8')).to.contain('cli/main.ts');
  });

  it('names its files as the architecture does', () => {
    expect([releaseName('conductor', 'linux-arm64'), releaseName('spoq', 'windows-x64')]).to.deep.equal([
      'conductor-linux-arm64',
      'spoq-windows-amd64.exe',
    ]);
    expect(hostTarget()).to.equal(`${process.platform}-${process.arch}`);
  });

  it('takes the plugins’ stand-ins only where the official ones cannot be had', async () => {
    for (const [name, version] of [
      ['command', '1.2.1'],
      ['cloudflare', '6.0.0'],
    ]) {
      const dir = path.join(root, 'node_modules', '@pulumi', name ?? '');
      mkdirSync(dir, { recursive: true });
      writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ version }));
    }
    const home = path.join(root, 'home');
    const env = { HOME: root, SPOQ_CACHE_DIR: path.join(root, 'cache'), PULUMI_HOME: home };
    const get = (): ReturnType<typeof getPlugins> =>
      getPlugins({ root, env, onProgress: () => {}, releaseUrl: 'http://127.0.0.1:9/' });
    expect(await get()).to.deep.equal({
      source: 'stand-ins',
      home: path.join(root, 'cache', 'pulumi'),
      pathDirs: [path.join(root, 'sandbox', 'plugins')],
    });
    for (const name of ['resource-command-v1.2.1', 'resource-cloudflare-v6.0.0'])
      mkdirSync(path.join(home, 'plugins', name), { recursive: true });
    expect(await get()).to.deep.equal({ source: 'official', home, pathDirs: [] });
  });

  it('leaves wrappers that know this run, and say so in the summary', async () => {
    const folder = openStateFolder(path.join(root, "it's here"));
    const spoq = path.join(root, 'spoq');
    writeFileSync(spoq, '#!/bin/sh\necho "$SPOQ_URL $SPOQ_HOME $NODE_EXTRA_CA_CERTS $*"\n');
    chmodSync(spoq, 0o755);
    const environment = { NODE_EXTRA_CA_CERTS: '/roots.pem' };
    writeWrappers(folder, { root, parts: { baseUrl: 'http://localhost:4000', environment }, spoq: [spoq] });
    const said = await runCommand(path.join(folder.bin, 'spoq'), ['ask', 'a b'], { env: { PATH: '/usr/bin:/bin' } });
    expect(said.stdout).to.equal(`http://localhost:4000 ${folder.dir}/home /roots.pem ask a b\n`);
    expect(statSync(path.join(folder.bin, 'pulumi')).mode & 0o777).to.equal(0o700);
    const engine = { version: '3.250.0', source: 'cache' as const, pathDirs: [] };
    const lines = describeRun({
      parts: {
        baseUrl: 'http://localhost:4000',
        urls: { page: 'http://127.0.0.1:4001', edge: 'http://127.0.0.1:4009' },
      },
      machines: { kind: 'process', because: 'they need root' },
      choice: { sandboxed: ['github', 'contabo', 'hostinger', 'cloudflare', 'openai'] },
      prepared: { engine, plugins: { source: 'stand-ins', home: '', pathDirs: [] } },
      folder: { dir: '/spoq/.spoq', logs: '/spoq/.spoq/logs', bin: '/spoq/.spoq/bin' },
      root: '/spoq',
      colors: createTerminal({ write: () => {} }).colors,
      ms: 9600,
    });
    expect(lines.join('\n')).to.equal(`
Spoq is running (9.6 s)

  Spoq       http://localhost:4000
  Sandbox    http://127.0.0.1:4001  vendors, machines, mails, requests, faults
  Real       Stripe, Anthropic
  Sandboxed  GitHub, Contabo, Hostinger, Cloudflare, OpenAI
  Machines   conductor processes: nothing boots, nobody signs in by SSH (they need root)
  Engine     Pulumi 3.250.0 from cache; plugins: stand-ins
  Logs       .spoq/logs

  1. Open http://localhost:4000, subscribe, sign in and watch your box being made.
  2. .spoq/bin/spoq init, then .spoq/bin/spoq ask "what is in this folder?"
     Stripe is real: forward its events to http://localhost:4000/api/subscription/webhook.

  Ctrl-C ends everything; users and boxes are kept. \`npm start -- --fresh\` forgets them.
`);
  });
});
