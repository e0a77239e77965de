import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readReleaseKey, writeKeyPair } from '../../tools/release-key.ts';
import type { ReleaseKey } from '../../tools/release-key.ts';
import type { CliDeps } from '../deps.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import type { TemporaryFolder } from '../testing/temporary-folder.ts';
import { VERSION } from '../version.ts';

const NAME = 'spoq-linux-amd64';
const OLD = '#!/bin/sh\necho old\n';
const programOf = (version: string): string => `#!/bin/sh\necho ${version}\n`;

function makeKey(): ReleaseKey {
  const file = join(mkdtempSync(join(tmpdir(), 'spoq-key-')), 'release.key');
  writeKeyPair(file);
  return readReleaseKey(file);
}

interface Offer {
  version?: string;
  program?: string;
  /** What is sent in place of the program. */
  sent?: string;
  signer?: ReleaseKey;
  /** The manifest in place of ours. */
  manifest?: string;
}

describe('spoq upgrade', () => {
  const key = makeKey();
  let folder: TemporaryFolder;
  let server: FakeServer;
  let handlers: Record<string, Handler>;
  const path = (): string => join(folder.path, 'bin', 'spoq');

  beforeEach(async () => {
    folder = await createTemporaryFolder({ 'bin/spoq': OLD });
    await chmod(path(), 0o755);
    handlers = {};
    server = await startFakeServer(handlers);
  });
  afterEach(async () => {
    await server[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  function offer({
    version = '9.0.0',
    program = programOf(version),
    sent = program,
    signer = key,
    manifest,
  }: Offer = {}): void {
    const sha256 = createHash('sha256').update(program).digest('hex');
    const file = { name: NAME, program: 'spoq', os: 'linux', arch: 'amd64', size: program.length, sha256 };
    const text = manifest ?? JSON.stringify({ version, built_at: '2026-01-01T00:00:00Z', files: [file] });
    const send =
      (content: string): Handler =>
      (_, response) =>
        void response.writeHead(200, { 'content-length': content.length }).end(content);
    handlers['GET /releases/manifest.json'] = send(text);
    handlers['GET /releases/manifest.json.minisig'] = send(signer.sign(Buffer.from(text), 'x'));
    handlers[`GET /releases/${version}/${NAME}`] = send(sent);
  }

  async function upgrade(args: string[] = [], more: Partial<CliDeps> = {}) {
    const executable = { path: path(), publicKey: key.publicKey.text };
    const deps = { ...createTestDeps({ homeFolder: folder.path, env: { SPOQ_URL: server.url }, executable }), ...more };
    const code = await runCli(deps, ['upgrade', ...args]);
    return {
      code,
      out: deps.out(),
      err: deps.err(),
      there: await readFile(path(), 'utf8'),
      all: await readdir(join(folder.path, 'bin')),
    };
  }

  /** It failed with these words, and what was there is there, whole, and nothing else. */
  async function expectKept(
    result: Promise<Awaited<ReturnType<typeof upgrade>>>,
    code: number,
    words: string,
  ): Promise<void> {
    expect(await result).to.deep.equal({ code, out: '', err: words, there: OLD, all: ['spoq'] });
  }

  it('puts what was signed in the place of this program', async () => {
    offer();
    expect(await upgrade()).to.deep.equal({
      code: 0,
      out: `Upgraded from ${VERSION} to 9.0.0: ${path()}\n`,
      err: '',
      there: programOf('9.0.0'),
      all: ['spoq'],
    });
    expect((await stat(path())).mode & 0o777).to.equal(0o755);
  });

  it('replaces the file that a link leads to, not the link', async () => {
    offer();
    await mkdir(join(folder.path, 'links'));
    const link = join(folder.path, 'links', 'spoq');
    await symlink(path(), link);
    const result = await upgrade([], { executable: { path: link, publicKey: key.publicKey.text } });
    expect([result.code, result.there, await readFile(link, 'utf8')]).to.deep.equal([
      0,
      programOf('9.0.0'),
      programOf('9.0.0'),
    ]);
  });

  it('only tells, with --check', async () => {
    const check = async (version: string): Promise<string> => {
      offer({ version });
      const { code, out, err, there } = await upgrade(['--check']);
      expect([code, err, there]).to.deep.equal([0, '', OLD]);
      return out;
    };
    expect(await check('9.0.0')).to.equal(`spoq 9.0.0 is there; this is ${VERSION}. Get it with: spoq upgrade\n`);
    expect(await check(VERSION)).to.equal(`spoq ${VERSION} is the newest.\n`);
    expect(await check('0.0.1')).to.equal(`spoq ${VERSION} is newer than the release, 0.0.1.\n`);
    expect(JSON.parse((await upgrade(['--check', '--json'])).out)).to.deep.equal({
      on_box: false,
      upgraded: false,
      version: VERSION,
      latest: '0.0.1',
    });
  });

  it('goes back to an older version, or to the same, only when it is told to', async () => {
    offer({ version: '0.0.1' });
    await expectKept(
      upgrade(),
      1,
      `✗ This conflicts with what is there.\n  ${new URL(server.url).host} offers spoq 0.0.1, which is older than this one (${VERSION}). Nothing was changed.\n  spoq upgrade --force goes back to it.\n`,
    );
    const forced = await upgrade(['--force']);
    expect([forced.code, forced.out, forced.there]).to.deep.equal([
      0,
      `Put 0.0.1 in the place of ${VERSION}.\n`,
      programOf('0.0.1'),
    ]);
    await writeFile(path(), OLD);
    offer({ version: VERSION });
    expect(await upgrade()).to.deep.include({ code: 0, out: `spoq ${VERSION} is the newest.\n`, there: OLD });
    expect(await upgrade(['--force'])).to.deep.include({ code: 0, there: programOf(VERSION) });
  });

  const refused = '✗ The release cannot be trusted.\n';
  const next = '  Nothing was changed. Try again later, and tell us if it stays so.\n';

  it('trusts no other key, no changed manifest and no other bytes', async () => {
    const signer = makeKey();
    offer({ signer });
    const other = `manifest.json is signed with the key ${signer.publicKey.id}, and only ${key.publicKey.id} is trusted.`;
    await expectKept(upgrade(), 1, `${refused}  ${other}\n${next}`);
    offer();
    const { 'GET /releases/manifest.json.minisig': signature } = handlers;
    offer({ version: '9.0.1' });
    if (signature !== undefined) handlers['GET /releases/manifest.json.minisig'] = signature;
    await expectKept(upgrade(), 1, `${refused}  manifest.json is not what was signed.\n${next}`);
    for (const sent of [programOf('6.6.6'), `${programOf('9.0.0')} `, programOf('9.0.0').slice(0, -1)]) {
      offer({ sent });
      await expectKept(upgrade(), 1, `${refused}  ${NAME} is not what was signed.\n${next}`);
    }
    offer({ manifest: '{"version": "next"}' });
    const strange = `manifest.json is signed, but this spoq cannot read it.\n  Install the newest one with the line that ${new URL(server.url).host} shows.`;
    await expectKept(upgrade(), 1, `${refused}  ${strange}\n`);
  });

  it('keeps the old one when the new one does not run, or is another', async () => {
    offer({ program: '#!/bin/sh\nexit 3\n' });
    await expectKept(
      upgrade(),
      1,
      `${refused}  spoq 9.0.0 does not run on this computer.\n  The one you have was kept. Tell us which system this is.\n`,
    );
    offer({ program: programOf('8.0.0') });
    await expectKept(upgrade(), 1, `${refused}  What was signed as spoq 9.0.0 calls itself 8.0.0.\n${next}`);
  });

  it('says who cannot be reached, and leaves nothing of half a download', async () => {
    offer();
    handlers[`GET /releases/9.0.0/${NAME}`] = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('half', () => response.destroy());
    };
    const unreachable = `✗ Spoq cannot be reached.\n  ${new URL(server.url).host} closed the connection.\n  Check your connection and try again.\n`;
    await expectKept(upgrade(), 69, unreachable);
    delete handlers['GET /releases/manifest.json'];
    expect((await upgrade()).err).to.contain(`${new URL(server.url).host} answered 404, and not as Spoq does.`);
    const nowhere = await upgrade(
      [],
      createTestDeps({
        env: { SPOQ_URL: 'http://127.0.0.1:1' },
        executable: { path: path(), publicKey: key.publicKey.text },
      }),
    );
    expect(nowhere.code).to.equal(69);
  });

  it('has nothing for a computer that there is no spoq for', async () => {
    offer();
    const { code, err } = await upgrade([], { arch: 'riscv64' });
    expect([code, err]).to.deep.equal([
      1,
      `✗ There is nothing here.\n  ${new URL(server.url).host} has no spoq 9.0.0 for linux on riscv64.\n  Check the address.\n`,
    ]);
  });

  it('says what to do where it may not write', async function () {
    offer();
    if (process.platform !== 'linux') return this.skip();
    // Nobody, not even root, makes files in /proc.
    const { code, err } = await upgrade([], { executable: { path: '/proc/version', publicKey: key.publicKey.text } });
    expect([code, err]).to.deep.equal([
      74,
      `✗ A file on this computer cannot be used.\n  /proc cannot be written, so /proc/version was left as it is.\n  Run it as somebody who may write there: sudo env SPOQ_URL=${server.url} /proc/version upgrade\n`,
    ]);
  });

  it('stops at Ctrl-C with nothing half done', async () => {
    offer();
    const deps = createTestDeps({
      homeFolder: folder.path,
      env: { SPOQ_URL: server.url },
      executable: { path: path(), publicKey: key.publicKey.text },
    });
    handlers[`GET /releases/9.0.0/${NAME}`] = (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('half', () => deps.stop.abort());
    };
    expect(await runCli(deps, ['upgrade'])).to.equal(130);
    expect([await readFile(path(), 'utf8'), await readdir(join(folder.path, 'bin'))]).to.deep.equal([OLD, ['spoq']]);
  });

  it('is not for boxes, which Spoq upgrades, nor for clones', async () => {
    await folder.write({ marker: '{"vps":true,"conductor":"http://localhost:8080","version":"1.0"}' });
    const box = createTestDeps({ env: { SPOQ_VPS_MARKER: join(folder.path, 'marker') } });
    expect([await runCli(box, ['upgrade']), box.out()]).to.deep.equal([
      0,
      `This is your box: Spoq upgrades it. It has spoq ${VERSION}; nothing was changed.\n`,
    ]);
    const clone = createTestDeps();
    expect([await runCli(clone, ['upgrade']), clone.err()]).to.deep.equal([
      1,
      '✗ This conflicts with what is there.\n  This spoq runs from its sources and is no file of its own.\n  Update the clone instead.\n',
    ]);
  });

  it('moves the running program aside on Windows, which lets nobody replace it', async () => {
    const program = programOf('9.0.0');
    const sha256 = createHash('sha256').update(program).digest('hex');
    const file = { name: NAME, program: 'spoq', os: 'windows', arch: 'amd64', size: program.length, sha256 };
    offer({ manifest: JSON.stringify({ version: '9.0.0', built_at: '2026-01-01T00:00:00Z', files: [file] }) });
    const result = await upgrade([], { platform: 'win32' });
    expect([result.code, result.there, result.all.sort()]).to.deep.equal([0, program, ['spoq', 'spoq.old']]);
    expect(await readFile(`${path()}.old`, 'utf8')).to.equal(OLD);
  });
});
