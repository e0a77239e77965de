import { expect } from 'chai';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { closeServer, listenOnFreePort } from '../test/harness/listen.ts';
import { getEngine, isAcceptable } from './engine.ts';
import type { Engine } from './engine.ts';
import { runCommand } from './run-command.ts';

const ARCHIVE = `pulumi-v3.250.0-${process.platform}-${process.arch}.tar.gz`;

describe('getEngine', () => {
  let dir: string;
  let server: Server;
  let url: string;
  let served: Map<string, Buffer>;
  let requests: string[];
  let notices: string[];

  /** A program that answers `version` as pulumi does. */
  function writeProgram(file: string, version: string): void {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\necho ${version}\n`);
    chmodSync(file, 0o755);
  }
  function writeEngine(bin: string, version: string): void {
    writeProgram(path.join(bin, 'pulumi'), version);
    writeProgram(path.join(bin, 'pulumi-language-nodejs'), version);
  }
  const cached = (): string => path.join(dir, 'cache', 'engine', 'v3.250.0', 'bin');

  function get(searchPath = '/usr/bin:/bin'): Promise<Engine> {
    return getEngine({
      env: { PATH: searchPath, HOME: dir, SPOQ_CACHE_DIR: path.join(dir, 'cache') },
      root: dir,
      onProgress: () => {},
      onNotice: (text) => notices.push(text),
      releaseUrl: url,
    });
  }

  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'spoq-engine-'));
    [served, requests, notices] = [new Map(), [], []];
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      const body = served.get(request.url ?? '');
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    ({ url } = await listenOnFreePort(server));
  });
  afterEach(async () => {
    await closeServer(server);
    rmSync(dir, { recursive: true, force: true });
  });

  /** Puts a release with a good or a wrong checksum on the server. */
  async function publish(sum?: string): Promise<void> {
    writeEngine(path.join(dir, 'release', 'pulumi'), 'v3.250.0');
    await runCommand('tar', ['-czf', path.join(dir, ARCHIVE), '-C', path.join(dir, 'release'), 'pulumi']);
    const archive = readFileSync(path.join(dir, ARCHIVE));
    const real = createHash('sha256').update(archive).digest('hex');
    served.set(`/${ARCHIVE}`, archive);
    served.set('/pulumi-3.250.0-checksums.txt', Buffer.from(`${sum ?? real}  ${ARCHIVE}\n`));
  }

  it('takes the pulumi on PATH, without asking the network', async () => {
    writeEngine(path.join(dir, 'bin'), 'v3.250.0');
    const engine = await get(`${path.join(dir, 'bin')}:/usr/bin:/bin`);
    expect(engine).to.deep.equal({ version: '3.250.0', source: 'path', pathDirs: [path.join(dir, 'bin')] });
    expect(requests).to.deep.equal([]);
  });

  it('passes over a pulumi that is too old, says so and takes the cache', async () => {
    writeEngine(path.join(dir, 'bin'), 'v3.100.0');
    writeEngine(cached(), 'v3.250.0');
    const engine = await get(`${path.join(dir, 'bin')}:/usr/bin:/bin`);
    expect(engine).to.deep.equal({ version: '3.250.0', source: 'cache', pathDirs: [cached()] });
    expect(notices).to.deep.equal([
      `${path.join(dir, 'bin', 'pulumi')} is version 3.100.0; Spoq wants 3.250.0 (or a later 3.x) and uses its own.`,
    ]);
  });

  it('downloads the release once for runs that begin together, and leaves nothing else in the cache', async () => {
    await publish();
    const engines = await Promise.all([get(), get()]);
    expect(engines.map(({ source }) => source).sort()).to.deep.equal(['cache', 'download']);
    expect(requests.filter((url) => url === `/${ARCHIVE}`)).to.have.length(1);
    expect(readdirSync(path.dirname(cached()))).to.deep.equal(['bin']);
  });

  it('replaces a broken cache and says so', async () => {
    writeEngine(cached(), 'nonsense');
    await publish();
    expect(await get()).to.deep.equal({ version: '3.250.0', source: 'download', pathDirs: [cached()] });
    expect(notices).to.deep.equal([
      `The engine in the cache (${path.join(cached(), 'pulumi')}) does not run; it is replaced.`,
    ]);
  });

  it('refuses a download whose checksum is wrong; without Go it says what to install, and keeps nothing', async () => {
    await publish('0'.repeat(64));
    const bare = path.join(dir, 'bare');
    mkdirSync(bare);
    const error = await get(bare).catch((reason: unknown) => reason);
    expect(error)
      .to.be.an('error')
      .with.property(
        'message',
        'There is no Pulumi engine to be had: no pulumi 3.250.0 on PATH, a download whose checksum is wrong, and no Go to build it with. ' +
          'Install Go 1.25 or later, or pulumi itself, then run this again.',
      );
    expect(existsSync(cached())).to.equal(false);
  });

  it('accepts 3.250 and later of major 3 only', () => {
    const versions = ['3.249.9', '3.250.0', '3.251.3', '4.0.0', '2.999.0'];
    expect(versions.filter(isAcceptable)).to.deep.equal(['3.250.0', '3.251.3']);
  });
});
