import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildRelease, hostTarget, releaseName, SOURCE_FOLDERS } from './build-release.ts';
import type { BuiltFile, Release, Target } from './build-release.ts';
import { parsePublicKey, verifySignature } from '../contract/minisign.ts';
import { ReleaseManifest } from '../contract/release.ts';
import { getPlugins } from './plugins.ts';
import { runCommand } from './run-command.ts';
import { keepVersion } from './seal-release.ts';
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
  const release = (...targets: Target[]): Promise<Release> => {
    const env = { PATH: '/usr/bin:/bin', SPOQ_CACHE_DIR: path.join(root, 'cache'), SOURCE_DATE_EPOCH: '1700000000' };
    return buildRelease(out, targets, { root, env, onProgress: () => {} });
  };
  const build = (...targets: Target[]): Promise<BuiltFile[]> => release(...targets).then(({ files }) => files);

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'spoq-release-'));
    out = path.join(root, 'out');
    for (const folder of [...SOURCE_FOLDERS, 'node_modules/.bin', 'out'])
      mkdirSync(path.join(root, folder), { recursive: true });
    for (const file of ['cli/main.ts', 'conductor/main.ts', 'contract/a.ts', 'package-lock.json'])
      writeFileSync(path.join(root, file), file);
    writeFileSync(path.join(root, 'package.json'), '{"version": "1.2.3"}');
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
      /^build --compile --minify --bytecode .*--target=bun-linux-x64-baseline .*--define SPOQ_RELEASE_PUBLIC_KEY="RW\S+" --outfile \S+ \S+cli\/main\.ts\n$/,
    );
    const sum = createHash('sha256')
      .update(readFileSync(path.join(out, 'spoq-darwin-arm64')))
      .digest('hex');
    expect(readFileSync(path.join(out, 'SHA256SUMS'), 'utf8')).to.contain(`${sum}  spoq-darwin-arm64\n`);
    for (const dir of [out, path.join(root, 'dist')])
      expect(readdirSync(dir).filter((name) => name.startsWith('.new-'))).to.deep.equal([]);
  });

  it('lists in a signed manifest what is made of the present sources, and nothing older', async () => {
    await build('linux-x64', 'linux-arm64');
    writeFileSync(path.join(root, 'cli', 'main.ts'), 'changed');
    const { manifest } = await release('linux-x64');
    const text = readFileSync(path.join(out, 'manifest.json'));
    const key = parsePublicKey(readFileSync(path.join(out, 'minisign.pub'), 'utf8'));
    const signature = readFileSync(path.join(out, 'manifest.json.minisig'), 'utf8');
    expect(verifySignature('it', text, signature, key)).to.equal(
      'timestamp:1700000000\tfile:manifest.json\tversion:1.2.3\thashed',
    );
    expect(ReleaseManifest.parse(JSON.parse(text.toString()))).to.deep.equal(manifest);
    expect({ ...manifest, files: manifest.files.map(({ name }) => name) }).to.deep.equal({
      version: '1.2.3',
      built_at: '2023-11-14T22:13:20Z',
      files: ['conductor-linux-amd64', 'conductor-linux-arm64', 'spoq-linux-amd64'],
    });
    const spoq = readFileSync(path.join(out, 'spoq-linux-amd64'));
    expect(manifest.files[2]).to.deep.equal({
      name: 'spoq-linux-amd64',
      program: 'spoq',
      os: 'linux',
      arch: 'amd64',
      size: spoq.length,
      sha256: createHash('sha256').update(spoq).digest('hex'),
    });
    expect(readdirSync(out).filter((name) => name.endsWith('.key'))).to.deep.equal([]);
  });

  it('keeps each version as it was, unless it is told otherwise', async () => {
    const first = await release('linux-x64');
    const folder = keepVersion(out, first.manifest);
    expect(keepVersion(out, first.manifest)).to.equal(folder);
    expect(readdirSync(folder).sort()).to.deep.equal(
      ['SHA256SUMS', 'SHA256SUMS.minisig', 'conductor-linux-amd64', 'manifest.json', 'manifest.json.minisig'].concat([
        'minisign.pub',
        'spoq-linux-amd64',
      ]),
    );
    expect(statSync(folder).mode & 0o777).to.equal(0o755);
    const before = readFileSync(path.join(folder, 'SHA256SUMS'), 'utf8');
    writeFileSync(path.join(root, 'cli', 'main.ts'), 'changed');
    writeBun(
      '#!/bin/sh\nfor word; do [ "$last" = --outfile ] && out=$word; last=$word; done\necho new "$@" > "$out"\n',
    );
    const second = await release('linux-x64');
    expect(() => keepVersion(out, second.manifest)).to.throw('1.2.3 has been released with other bytes');
    expect(readFileSync(path.join(folder, 'SHA256SUMS'), 'utf8')).to.equal(before);
    keepVersion(out, second.manifest, { replace: true });
    expect(readFileSync(path.join(folder, 'SHA256SUMS'), 'utf8')).to.equal(
      readFileSync(path.join(out, 'SHA256SUMS'), 'utf8'),
    );
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
