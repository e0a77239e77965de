import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ReleaseKey } from '../../tools/release-key.ts';
import { keepVersion } from '../../tools/seal-release.ts';
import { loadRelease, loadReleaseDigests } from '../releases.ts';
import { type ReleaseServer, startReleaseServer } from '../testing/release-server.ts';
import { makeRelease, makeReleaseKey } from '../testing/releases.ts';
import { renderInstallScript } from './releases.ts';
import { parseRange } from './send-file.ts';

const PROGRAM = '0123456789';
const NAME = 'spoq-linux-amd64';
const DIGEST = createHash('sha256').update(PROGRAM).digest('hex');
const FILES = { [NAME]: PROGRAM, 'spoq-windows-amd64.exe': 'exe', 'conductor-linux-arm64': 'conductor' };

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

describe('releases', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const releases = join(folder, 'releases');
  const key: ReleaseKey = makeReleaseKey(folder);
  const source = { RELEASES_DIR: releases, RELEASES_PUBLIC_KEY: key.publicKey.text };
  let server: ReleaseServer;

  before(async () => (server = await startReleaseServer(releases, key.publicKey.text)));
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    rmSync(releases, { recursive: true, force: true });
    await makeRelease(releases, { files: FILES, key });
  });

  /** Not by fetch, which adds headers of its own and has no HEAD with a length. */
  function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(`${server.url}${path}`, { method, headers, agent: false }, (incoming) => {
        let body = '';
        incoming.on('data', (chunk: Buffer) => (body += chunk.toString()));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }));
      });
      outgoing.on('error', reject).end();
    });
  }

  it('have their digest as a strong ETag, for GET and HEAD', async () => {
    const { status, headers, body } = await ask(`/releases/${NAME}`);
    expect([status, body]).to.deep.equal([200, PROGRAM]);
    expect(headers).to.deep.include({
      etag: `"${DIGEST}"`,
      'content-length': '10',
      'accept-ranges': 'bytes',
      'cache-control': 'no-cache',
      'content-type': 'application/octet-stream',
    });
    const head = await ask(`/releases/${NAME}`, {}, 'HEAD');
    expect([head.status, head.body, head.headers['etag'], head.headers['content-length']]).to.deep.equal([
      200,
      '',
      `"${DIGEST}"`,
      '10',
    ]);
    const same = await ask(`/releases/${NAME}`, { 'if-none-match': `"other", "${DIGEST}"`, range: 'bytes=0-1' });
    expect([same.status, same.body]).to.deep.equal([304, '']);
    // Another file of the same size and, as far as its name tells, the same.
    writeFileSync(join(releases, `${NAME}.new`), '9876543210');
    renameSync(join(releases, `${NAME}.new`), join(releases, NAME));
    const other = await ask(`/releases/${NAME}`, { 'if-none-match': `"${DIGEST}"` });
    expect([other.status, other.body]).to.deep.equal([200, '9876543210']);
  });

  it('are given in parts', async () => {
    const part = async (range: string, more: Record<string, string> = {}) => {
      const { status, headers, body } = await ask(`/releases/${NAME}`, { range, ...more });
      return [status, headers['content-range'], headers['content-length'], body];
    };
    expect(await part('bytes=2-4')).to.deep.equal([206, 'bytes 2-4/10', '3', '234']);
    expect(await part('bytes=7-')).to.deep.equal([206, 'bytes 7-9/10', '3', '789']);
    expect(await part('bytes=-2')).to.deep.equal([206, 'bytes 8-9/10', '2', '89']);
    expect(await part('bytes=0-99')).to.deep.equal([206, 'bytes 0-9/10', '10', PROGRAM]);
    expect(await part('bytes=10-')).to.deep.equal([416, 'bytes */10', '0', '']);
    const whole = [200, undefined, '10', PROGRAM];
    for (const range of ['bytes=0-1,4-5', 'lines=1-2', 'bytes=5-2', 'bytes=', 'bytes=-'])
      expect(await part(range), range).to.deep.equal(whole);
    expect(await part('bytes=2-4', { 'if-range': `"${DIGEST}"` })).to.deep.equal([206, 'bytes 2-4/10', '3', '234']);
    for (const condition of ['"other"', `W/"${DIGEST}"`, 'Wed, 21 Oct 2015 07:28:00 GMT'])
      expect(await part('bytes=2-4', { 'if-range': condition }), condition).to.deep.equal(whole);
    const head = await ask(`/releases/${NAME}`, { range: 'bytes=2-4' }, 'HEAD');
    expect([head.status, head.headers['content-length']]).to.deep.equal([200, '10']);
  });

  it('read ranges as RFC 9110 has them', () => {
    expect([parseRange('bytes=-20', 10), parseRange('bytes=-0', 10), parseRange('bytes=-1', 0)]).to.deep.equal([
      { start: 0, end: 9 },
      'unsatisfiable',
      'unsatisfiable',
    ]);
    expect([parseRange('BYTES= 1-1 ', 10), parseRange(undefined, 10)]).to.deep.equal([{ start: 1, end: 1 }, undefined]);
  });

  it('are good for ever below their version, once that has been released', async () => {
    const cache = async (path: string) => {
      const { status, headers, body } = await ask(path);
      return [status, headers['cache-control'], status === 200 ? body : ''];
    };
    expect(await cache(`/releases/0.1.0/${NAME}`)).to.deep.equal([200, 'no-cache', PROGRAM]);
    const manifest =
      loadRelease(source)?.version === '0.1.0' ? JSON.parse(readFileSync(join(releases, 'manifest.json'), 'utf8')) : {};
    keepVersion(releases, manifest);
    const forEver = 'public, max-age=31536000, immutable';
    expect(await cache(`/releases/0.1.0/${NAME}`)).to.deep.equal([200, forEver, PROGRAM]);
    await makeRelease(releases, { files: { [NAME]: 'the next' }, key, version: '0.2.0' });
    expect(await cache(`/releases/0.1.0/${NAME}`)).to.deep.equal([200, forEver, PROGRAM]);
    expect(await cache(`/releases/0.2.0/${NAME}`)).to.deep.equal([200, 'no-cache', 'the next']);
    expect(await cache(`/releases/${NAME}`)).to.deep.equal([200, 'no-cache', 'the next']);
    // Somebody works on what was released: the folder is as it was, and what is new is not good for ever.
    await makeRelease(releases, { files: { [NAME]: 'worked on' }, key, version: '0.1.0' });
    expect(await cache(`/releases/0.1.0/${NAME}`)).to.deep.equal([200, 'no-cache', 'worked on']);
  });

  it('are all that can be had', async () => {
    writeFileSync(join(folder, 'secret'), 'beside the releases');
    mkdirSync(join(releases, '9.9.9'));
    for (const path of [
      'nothing',
      '..%2fsecret',
      '..%2freleases%2f..%2fsecret',
      '.hidden',
      '%00',
      'a'.repeat(300),
      '9.9.9',
    ])
      for (const prefix of ['', '0.1.0/', '0.9.9/', '9.9.9/', '..%2f/', '%2e%2e%2f/']) {
        const { status, body } = await ask(`/releases/${prefix}${path}`);
        expect([status, (JSON.parse(body) as { code: string }).code], prefix + path).to.deep.equal([404, 'not_found']);
      }
  });

  it('give boxes their digests, if they are signed with the right key', async () => {
    expect(loadReleaseDigests(source)).to.deep.equal({
      [NAME]: DIGEST,
      'conductor-linux-arm64': createHash('sha256').update('conductor').digest('hex'),
    });
    expect(loadReleaseDigests({ ...source, RELEASES_PUBLIC_KEY: undefined })).to.have.keys(
      NAME,
      'conductor-linux-arm64',
    );
    expect(loadReleaseDigests({ ...source, RELEASES_DIR: join(folder, 'nowhere') })).to.deep.equal({});
    const other = makeReleaseKey(folder).publicKey;
    expect(() => loadReleaseDigests({ ...source, RELEASES_PUBLIC_KEY: other.text })).to.throw(
      `SHA256SUMS is signed with the key ${key.publicKey.id}, and only ${other.id} is trusted.`,
    );
    const sums = readFileSync(join(releases, 'SHA256SUMS'), 'utf8');
    writeFileSync(join(releases, 'SHA256SUMS'), sums.replace(DIGEST, '0'.repeat(64)));
    expect(() => loadReleaseDigests(source)).to.throw('SHA256SUMS is not what was signed.');
    rmSync(join(releases, 'SHA256SUMS.minisig'));
    expect(() => loadReleaseDigests(source)).to.throw('The release has no SHA256SUMS.minisig that can be read.');
  });

  it('come with an installer that knows them, quoted for the shell', async () => {
    const release = loadRelease(source);
    if (release === undefined) throw new Error('there is no release');
    const { status, headers, body } = await ask('/install.sh');
    expect([status, headers['cache-control']]).to.deep.equal([200, 'no-cache']);
    const sums = createHash('sha256')
      .update(readFileSync(join(releases, 'SHA256SUMS')))
      .digest('hex');
    for (const line of [
      `version='0.1.0'`,
      `sums_digest='${sums}'`,
      `key='${key.publicKey.text}'`,
      `base='${server.url}'`,
    ])
      expect(body).to.contain(`  ${line}\n`);
    expect(body).not.to.match(/@[A-Z_]+@/);
    expect((await ask('/install.sh', { 'if-none-match': String(headers['etag']) })).status).to.equal(304);
    expect(renderInstallScript("https://a.example/'$(id)", release)).to.contain(
      String.raw`base='https://a.example/'\''$(id)'`,
    );
  });

  it('come with an installer that only says why, where they are not signed', async () => {
    writeFileSync(join(releases, 'SHA256SUMS'), 'something else');
    const { status, headers, body } = await ask('/install.sh');
    expect([status, headers['cache-control']]).to.deep.equal([503, 'no-store']);
    expect(body).to.equal(
      String.raw`#!/bin/sh
printf 'spoq: the release here is not signed with Spoq'\''s key; nothing was installed\n' >&2
exit 1
`,
    );
    rmSync(releases, { recursive: true });
    expect((await ask('/install.sh')).body).to.contain('spoq: there is no release here yet; nothing was installed');
  });
});
