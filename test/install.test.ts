import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ReleaseServer } from '../control-plane/testing/release-server.ts';
import { cutEvery, cutOff, startReleaseServer } from '../control-plane/testing/release-server.ts';
import { makeRelease, makeReleaseKey } from '../control-plane/testing/releases.ts';
import { releaseName } from '../tools/build-release.ts';
import { installTreePath } from '../tools/install-trees.ts';
import type { ReleaseKey } from '../tools/release-key.ts';
import { HOME, makeBusyboxTree, runInChroot, whyNoChroot } from './harness/chroot.ts';
import type { ChrootResult, ChrootRun } from './harness/chroot.ts';

const RELEASE_DIR = path.join(path.dirname(import.meta.dirname), 'dist', 'release');
const VERSION = '0.2.0';
const NAME = releaseName('spoq', process.arch === 'arm64' ? 'linux-arm64' : 'linux-x64');
const BIN = `${HOME}/.local/bin`;
const programOf = (version: string): string => `#!/bin/sh\necho ${version}\n`;
const PROGRAM = programOf(VERSION);
const MADE = [`${HOME}/.local/`, `${BIN}/`, `${BIN}/spoq`];

/** How a system differs that install.sh may meet. */
interface System {
  title: string;
  tree: () => string | undefined;
  shell: string;
  /** The line that a person types. */
  line: (url: string) => string;
  without: readonly string[];
  /** What it says about how it checked. */
  checked: (url: string) => string;
  /** What it says of a SHA256SUMS that isn't right. */
  wrongSums: (url: string) => string;
}

const signature = () => `the signature of ${VERSION} is not Spoq's`;
const announced = (url: string): string => `SHA256SUMS is not the one that ${url} announced`;
const byDigest = (url: string): string =>
  `its digest is the one that ${url} verified (there is no minisign and no OpenSSL 3 here to verify the signature)`;

describe('install.sh', function () {
  this.timeout(60_000);
  let folder: string;
  let releases: string;
  let key: ReleaseKey;
  let server: ReleaseServer;
  let busybox: string | undefined;
  const debian = (): string | undefined => {
    const tree = installTreePath(process.env);
    return existsSync(tree) ? tree : undefined;
  };

  const SYSTEMS: System[] = [
    {
      title: 'Debian with minisign, sh and curl',
      tree: debian,
      shell: '/bin/sh',
      without: ['wget'],
      line: (url) => `curl -sSL ${url}/install.sh | sh`,
      checked: () => 'its signature was verified with minisign',
      wrongSums: signature,
    },
    {
      title: 'Debian with openssl, bash and curl',
      tree: debian,
      shell: '/bin/bash',
      without: ['minisign', 'wget'],
      line: (url) => `curl -sSL ${url}/install.sh | bash`,
      checked: () => 'its signature was verified with openssl',
      wrongSums: signature,
    },
    {
      title: 'Debian with openssl, dash and wget, without curl',
      tree: debian,
      shell: '/bin/dash',
      without: ['minisign', 'curl'],
      line: (url) => `wget -qO- ${url}/install.sh | dash`,
      checked: () => 'its signature was verified with openssl',
      wrongSums: signature,
    },
    {
      title: 'Debian with neither, and wget',
      tree: debian,
      shell: '/bin/sh',
      without: ['minisign', 'openssl', 'curl'],
      line: (url) => `wget -qO- ${url}/install.sh | sh`,
      checked: byDigest,
      wrongSums: announced,
    },
    {
      title: 'busybox and nothing else',
      tree: () => busybox,
      shell: '/bin/sh',
      without: [],
      line: (url) => `wget -qO- ${url}/install.sh | sh`,
      checked: byDigest,
      wrongSums: announced,
    },
  ];

  before(async function () {
    const reason =
      (await whyNoChroot()) ?? (debian() === undefined ? 'there is no clean Debian in the cache' : undefined);
    if (reason !== undefined) {
      console.log(`      install.sh is not tried in clean systems: ${reason}`);
      return this.skip();
    }
    folder = mkdtempSync(path.join(tmpdir(), 'spoq-install-'));
    releases = path.join(folder, 'releases');
    key = makeReleaseKey(folder);
    server = await startReleaseServer(releases, key.publicKey.text);
    busybox = await makeBusyboxTree(path.join(folder, 'busybox'));
  });
  after(async () => {
    await server?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    server.tampered.clear();
    rmSync(releases, { recursive: true, force: true });
    await makeRelease(releases, { files: { [NAME]: PROGRAM }, key, version: VERSION });
  });

  function install(system: System, options: Partial<ChrootRun> = {}): Promise<ChrootResult> {
    const tree = system.tree();
    if (tree === undefined) throw new Error(`There is no ${system.title}`);
    const { shell, without } = system;
    return runInChroot(tree, { shell, without, script: system.line(server.url), ...options });
  }

  /** Nothing is there that was not, what it says is exactly this, and it has failed. */
  function expectRefusal(result: ChrootResult, message: string): void {
    const { code, stderr, changed } = result;
    expect({ code, stderr, changed }).to.deep.equal({ code: 1, stderr: `spoq: ${message}\n`, changed: [] });
  }

  const getting = (): string => `Getting spoq ${VERSION} for ${NAME.slice('spoq-'.length)} from ${server.url}\n`;

  for (const system of SYSTEMS)
    describe(`on ${system.title}`, () => {
      before(function () {
        if (system.tree() !== undefined) return;
        console.log('      busybox is not installed: install.sh is not tried there');
        this.skip();
      });

      it('installs into the home folder, and says what it did and what is left to do', async () => {
        const result = await install(system);
        expect({ ...result, read: undefined }).to.deep.equal({
          code: 0,
          stderr: '',
          stdout: `${getting()}Checked: ${system.checked(server.url)}
Installed ${BIN}/spoq
It is not on your PATH, which was left as it is. Put it there, now and in your shell's start-up file:
  export PATH="${BIN}:$PATH"
Run 'SPOQ_URL=${server.url} spoq init' to sign in.
`,
          changed: MADE,
          read: undefined,
        });
        expect(result.read(`${BIN}/spoq`)).to.equal(PROGRAM);
      });

      it('refuses a binary that was tampered with', async () => {
        server.tampered.set(NAME, (ctx) => (ctx.body = programOf('6.6.6')));
        const message = `${NAME} is not what was signed: its digest is another one; nothing was installed`;
        expectRefusal(await install(system), message);
      });

      it('refuses sums that were tampered with', async () => {
        const evil = readFileSync(path.join(releases, 'SHA256SUMS'), 'utf8').replace(/^./, (digit) =>
          digit === '0' ? '1' : '0',
        );
        server.tampered.set('SHA256SUMS', (ctx) => (ctx.body = evil));
        expectRefusal(await install(system), `${system.wrongSums(server.url)}; nothing was installed`);
      });

      it('refuses a whole release that somebody else has signed', async () => {
        const other = path.join(folder, 'other');
        await makeRelease(other, {
          files: { [NAME]: programOf(VERSION) },
          key: makeReleaseKey(folder),
          version: `${VERSION}-rc.1`,
        });
        for (const name of ['SHA256SUMS', 'SHA256SUMS.minisig', NAME])
          server.tampered.set(name, (ctx) => (ctx.body = readFileSync(path.join(other, name))));
        // Without a tool for signatures the list is told apart by its digest; a list that says the same would be as good.
        writeFileSync(path.join(other, 'SHA256SUMS'), `${readFileSync(path.join(other, 'SHA256SUMS'), 'utf8')}\n`);
        expectRefusal(await install(system), `${system.wrongSums(server.url)}; nothing was installed`);
        rmSync(other, { recursive: true });
      });

      it('goes on where a download was cut, again and again', async () => {
        server.tampered.set(NAME, cutEvery(Buffer.from(PROGRAM), Math.ceil(PROGRAM.length / 5)));
        const result = await install(system);
        expect([result.code, result.stderr, result.changed]).to.deep.equal([0, '', MADE]);
        expect(result.read(`${BIN}/spoq`)).to.equal(PROGRAM);
      });

      it('leaves nothing of a download that was cut', async () => {
        server.tampered.set(NAME, cutOff(Buffer.from(PROGRAM)));
        expectRefusal(await install(system), `could not get ${NAME} from ${server.url}; nothing was installed`);
        server.tampered.clear();
        server.tampered.set('SHA256SUMS', cutOff(readFileSync(path.join(releases, 'SHA256SUMS'))));
        expectRefusal(await install(system), `could not get SHA256SUMS from ${server.url}; nothing was installed`);
      });

      it('says so where the home folder cannot be written', async () => {
        const message = `cannot make the folder ${BIN}; set SPOQ_INSTALL_DIR to one that you can write to; nothing was installed`;
        expectRefusal(await install(system, { readOnlyHome: true }), message);
        const files = { [`${BIN}/other`]: '' };
        expectRefusal(
          await install(system, { readOnlyHome: true, files }),
          `cannot write to ${BIN}; set SPOQ_INSTALL_DIR to a folder that you can write to; nothing was installed`,
        );
      });

      it('goes back to an older version only when it is told to', async () => {
        const files = { [`${BIN}/spoq`]: programOf('0.10.0') };
        const message = `spoq 0.10.0 is installed, which is newer than ${VERSION} here; set SPOQ_FORCE=1 to go back to it; ${BIN}/spoq was left as it was`;
        expectRefusal(await install(system, { files }), message);
        const forced = await install(system, { files, env: { SPOQ_FORCE: '1', PATH: `/opt/tools:${BIN}` } });
        expect([forced.code, forced.stderr, forced.changed]).to.deep.equal([0, '', [`${BIN}/spoq`]]);
        expect(forced.stdout).to.contain(`\nInstalled ${BIN}/spoq in place of 0.10.0\nRun 'SPOQ_URL=`);
        expect(forced.read(`${BIN}/spoq`)).to.equal(PROGRAM);
        for (const older of ['0.1.9', `${VERSION}-rc.1`, VERSION]) {
          const result = await install(system, { files: { [`${BIN}/spoq`]: programOf(older) } });
          expect([result.code, result.changed], older).to.deep.equal([0, [`${BIN}/spoq`]]);
        }
      });

      it('keeps what is there when something is wrong', async () => {
        const files = { [`${BIN}/spoq`]: programOf('0.1.0') };
        server.tampered.set(NAME, (ctx) => (ctx.body = 'evil'));
        const message = `${NAME} is not what was signed: its digest is another one; ${BIN}/spoq was left as it was`;
        expectRefusal(await install(system, { files }), message);
      });
    });

  describe('wherever it runs', () => {
    const [minisign, openssl] = SYSTEMS as [System, System];

    for (const system of [minisign, openssl])
      it(`is not given an older release under a newer name, on ${system.title}`, async () => {
        const old = path.join(folder, 'old');
        await makeRelease(old, { files: { [NAME]: programOf('0.1.0') }, key, version: '0.1.0' });
        for (const name of ['SHA256SUMS', 'SHA256SUMS.minisig', NAME])
          server.tampered.set(name, (ctx) => (ctx.body = readFileSync(path.join(old, name))));
        const message = `what ${server.url} gives as ${VERSION} was signed as another version; nothing was installed`;
        expectRefusal(await install(system), message);
      });

    it('goes to /usr/local/bin where it can', async () => {
      const result = await install(openssl, { asRoot: true, env: { PATH: '/opt/tools:/usr/local/bin' } });
      expect([result.code, result.stderr, result.changed]).to.deep.equal([0, '', ['/usr/local/bin/spoq']]);
      expect(result.stdout.split('\n').slice(2)).to.deep.equal([
        'Installed /usr/local/bin/spoq',
        `Run 'SPOQ_URL=${server.url} spoq init' to sign in.`,
        '',
      ]);
    });

    it('goes where it is told to, and minds another one that comes first', async () => {
      const files = { '/opt/first/spoq': programOf('0.0.1') };
      const env = { SPOQ_INSTALL_DIR: `${HOME}/my bin`, PATH: `/opt/tools:/opt/first:${HOME}/my bin` };
      const result = await install(openssl, { files, env });
      expect([result.code, result.changed]).to.deep.equal([0, [`${HOME}/my bin/`, `${HOME}/my bin/spoq`]]);
      expect(result.stdout).to.contain(
        `Installed ${HOME}/my bin/spoq\nMind that /opt/first/spoq comes before it on your PATH\n`,
      );
    });

    it('needs curl or wget, and something that makes digests', async () => {
      const script = await fetch(`${server.url}/install.sh`).then((answer) => answer.text());
      const without = ['curl', 'wget'];
      const message = 'needs curl or wget; install one of them and run this again; nothing was installed';
      expectRefusal(await install(openssl, { script, without }), message);
      expectRefusal(
        await install(openssl, { script, without: ['sha256sum', 'shasum'] }),
        'needs sha256sum or shasum to check what it downloads; nothing was installed',
      );
    });

    it('tells a system that it has no spoq for', async () => {
      const script = await fetch(`${server.url}/install.sh`).then((answer) => answer.text());
      const uname = (says: string): Record<string, string> => ({
        '/opt/odd/uname': `#!/bin/sh\n[ "$1" = -s ] && echo ${says.split(' ')[0]} || echo ${says.split(' ')[1]}\n`,
      });
      const env = { PATH: '/opt/odd:/opt/tools' };
      expectRefusal(
        await install(openssl, { script, env, files: uname('FreeBSD x86_64') }),
        `there is no spoq for FreeBSD here; on Windows, get ${server.url}/releases/spoq-windows-amd64.exe; nothing was installed`,
      );
      expectRefusal(
        await install(openssl, { script, env, files: uname('Linux riscv64') }),
        'there is no spoq for riscv64 processors; nothing was installed',
      );
      expectRefusal(
        await install(openssl, { script, env, files: uname('Darwin arm64') }),
        `${server.url} has no spoq-darwin-arm64 in ${VERSION}; nothing was installed`,
      );
    });

    it('does not install what calls itself another version', async () => {
      await makeRelease(releases, { files: { [NAME]: programOf('0.1.0') }, key, version: VERSION });
      expectRefusal(await install(openssl), `${NAME} calls itself 0.1.0 and not ${VERSION}; nothing was installed`);
    });

    it('installs the real spoq on Debian, and says that it does not run where there is no glibc', async function () {
      const executable = path.join(RELEASE_DIR, NAME);
      if (!existsSync(executable) || busybox === undefined) return this.skip();
      const { version } = JSON.parse(readFileSync(path.join(RELEASE_DIR, 'manifest.json'), 'utf8')) as {
        version: string;
      };
      await makeRelease(releases, { files: { [NAME]: readFileSync(executable) }, key, version });
      const script = `${openssl.line(server.url)} >/dev/null && ${BIN}/spoq --version && ${BIN}/spoq completion bash | head -1`;
      const { code, stdout, stderr, changed } = await install(openssl, { script });
      expect({ code, stdout, stderr, changed }).to.deep.equal({
        code: 0,
        stdout: `${version}\n# bash completion of spoq. In ~/.bashrc: source <(spoq completion bash)\n`,
        stderr: '',
        changed: MADE,
      });
      const elsewhere = await install(SYSTEMS.at(-1) as System);
      expect([elsewhere.code, elsewhere.changed]).to.deep.equal([1, []]);
      expect(elsewhere.stderr).to.match(
        new RegExp(`^[^\n]*not found\nspoq: ${NAME} does not run on this computer; nothing was installed\n$`),
      );
    });

    it('says why there is nothing to install, where a release is not signed', async () => {
      rmSync(path.join(releases, 'SHA256SUMS.minisig'));
      expectRefusal(await install(openssl), "the release here is not signed with Spoq's key; nothing was installed");
      rmSync(releases, { recursive: true });
      expectRefusal(await install(openssl), 'there is no release here yet; nothing was installed');
    });
  });
});
