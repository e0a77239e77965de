import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import Koa from 'koa';
import { createPages } from '../pages/pages.ts';
import { createProblemMiddleware } from '../middleware/problem.ts';
import { loadReleaseDigests } from '../releases.ts';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { createReleaseRoutes, renderInstallScript } from './releases.ts';

const run = promisify(execFile);
const PROGRAM = '#!/bin/sh\necho "spoq 0.1.0"\n';
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

describe('releases and the install script', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const releases = join(folder, 'releases');
  const name = `spoq-${process.platform}-${ARCHITECTURES[process.arch]}`;
  let server: Server;
  let url: string;

  before(async () => {
    mkdirSync(releases);
    server = createServer();
    ({ url } = await listenOnFreePort(server));
    const log = { error: () => {}, warn: () => {} };
    const app = new Koa();
    app.on('error', () => {});
    app.use(
      createProblemMiddleware({ log, pages: createPages() } as unknown as Parameters<
        typeof createProblemMiddleware
      >[0]),
    );
    const config = { RELEASES_DIR: releases, BASE_URL: url } as Parameters<typeof createReleaseRoutes>[0]['config'];
    app.use(createReleaseRoutes({ config }).routes());
    server.on('request', app.callback());
  });
  after(async () => {
    await closeServer(server);
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => release(PROGRAM));

  function release(content: string, digestOf = content): void {
    writeFileSync(join(releases, name), content);
    const digest = createHash('sha256').update(digestOf).digest('hex');
    writeFileSync(join(releases, 'SHA256SUMS'), `${'0'.repeat(64)}  spoq-other-arm64\n${digest}  ${name}\n`);
  }

  async function install(shell = 'sh', env: Record<string, string> = {}) {
    const home = mkdtempSync(join(folder, 'home-'));
    const bin = join(home, 'bin');
    const result = await run(shell, ['-c', `curl -sSL ${url}/install.sh | ${shell}`], {
      env: { PATH: process.env['PATH'], HOME: home, SPOQ_INSTALL_DIR: bin, ...env },
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    return { code: result.code, stdout: result.stdout, stderr: result.stderr, bin };
  }

  it('serves a release with a validator, and only what is one', async () => {
    const answer = await fetch(`${url}/releases/${name}`);
    expect([answer.status, await answer.text(), answer.headers.get('content-length')]).to.deep.equal([
      200,
      PROGRAM,
      String(PROGRAM.length),
    ]);
    const etag = answer.headers.get('etag') ?? '';
    // Not by fetch, which adds `Cache-Control: no-cache` to a question with a validator.
    const ask = ['-s', '-w', '%{http_code}', '-H', `If-None-Match: ${etag}`, `${url}/releases/${name}`];
    expect((await run('curl', ask)).stdout).to.equal('304');
    expect((await fetch(`${url}/releases/${name}`, { method: 'HEAD' })).headers.get('content-length')).to.equal(
      String(PROGRAM.length),
    );
    writeFileSync(join(folder, 'secret'), 'beside the releases');
    for (const path of ['nothing', '..%2fsecret', '..%2freleases%2f..%2fsecret', '.hidden', '%00', 'a'.repeat(300)]) {
      const missing = await fetch(`${url}/releases/${path}`);
      expect([missing.status, ((await missing.json()) as { code: string }).code], path).to.deep.equal([
        404,
        'not_found',
      ]);
    }
  });

  it('knows the digests of what was released', () => {
    const digest = createHash('sha256').update(PROGRAM).digest('hex');
    expect(loadReleaseDigests(releases)).to.deep.equal({ [name]: digest, 'spoq-other-arm64': '0'.repeat(64) });
    expect(loadReleaseDigests(join(folder, 'nowhere'))).to.deep.equal({});
  });

  for (const shell of ['sh', 'bash']) {
    it(`installs with ${shell}, and says what to do next`, async () => {
      const { code, stdout, stderr, bin } = await install(shell);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(readFileSync(join(bin, 'spoq'), 'utf8')).to.equal(PROGRAM);
      expect(statSync(join(bin, 'spoq')).mode & 0o777).to.equal(0o755);
      expect(readdirSync(bin)).to.deep.equal(['spoq']);
      expect(stdout).to.equal(
        `Getting ${name} from ${url}\nInstalled ${bin}/spoq\n` +
          `Add it to your PATH, now and in your shell's start-up file:\n  export PATH="${bin}:$PATH"\n` +
          `Run 'SPOQ_URL=${url} spoq init' to sign in.\n`,
      );
    });
  }

  it('installs nothing that its checksum does not fit, and keeps what was there', async () => {
    release(PROGRAM, 'something else');
    const { code, stderr, bin } = await install();
    expect(code).to.equal(1);
    expect(stderr).to.equal(`spoq: ${name} is not what its checksum says; nothing was installed. Try again\n`);
    expect(readdirSync(bin)).to.deep.equal([]);
  });

  it('says so when there is no release for this machine', async () => {
    writeFileSync(join(releases, 'SHA256SUMS'), '');
    const { code, stderr } = await install();
    expect([code, stderr]).to.deep.equal([1, `spoq: ${url} has no release ${name}; nothing was installed\n`]);
  });

  it('does nothing when it was cut off, wherever that was', async () => {
    const script = renderInstallScript(url);
    for (let share = 0.2; share < 1; share += 0.2) {
      const half = script.slice(0, Math.floor(script.length * share));
      const bin = join(folder, `never-${share.toFixed(1)}`);
      await run('sh', ['-c', half], { env: { ...process.env, SPOQ_INSTALL_DIR: bin } }).catch(() => undefined);
      expect(readdirSync(folder)).not.to.include(bin.split('/').at(-1));
    }
  });

  it('quotes its address for the shell', () => {
    expect(renderInstallScript("https://a.example/'$(id)")).to.contain(String.raw`base='https://a.example/'\''$(id)'`);
  });
});
