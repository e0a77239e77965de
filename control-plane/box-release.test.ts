import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseBoxRelease, findBoxRelease } from './box-release.ts';
import { makeRelease, makeReleaseKey } from './testing/releases.ts';

describe('the release of a box', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const key = makeReleaseKey(folder);
  const source = { RELEASES_DIR: join(folder, 'releases'), RELEASES_PUBLIC_KEY: key.publicKey.text };
  const release = async (version: string, at = '') => {
    const files = { 'conductor-linux-amd64': version, 'spoq-darwin-arm64': version };
    await makeRelease(join(source.RELEASES_DIR, at), { files, key, version });
    return { version, sha256: { 'conductor-linux-amd64': createHash('sha256').update(version).digest('hex') } };
  };
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is what it runs well, as long as that is kept; a new box gets the newest', async () => {
    expect(findBoxRelease(source)).to.equal(undefined);
    expect(chooseBoxRelease(source, { release_version: '1.0.0' })).to.equal(undefined);
    const newest = await release('1.2.0');
    const older = await release('1.1.0', '1.1.0');
    expect(findBoxRelease(source)).to.deep.equal(newest);
    expect(findBoxRelease(source, '1.2.0')).to.deep.equal(newest);
    expect(findBoxRelease(source, '1.1.0')).to.deep.equal(older);
    expect(chooseBoxRelease(source, { release_version: null })).to.deep.equal(newest);
    expect(chooseBoxRelease(source, { release_version: '1.1.0' })).to.deep.equal(older);
    expect(chooseBoxRelease(source, { release_version: '1.1.0' }, '1.2.0')).to.deep.equal(newest);
    expect(chooseBoxRelease(source, { release_version: '1.0.0' }), 'nobody keeps that').to.deep.equal(newest);
    for (const odd of ['../1.1.0', '1.1', '', '1.1.0/']) expect(findBoxRelease(source, odd), odd).to.equal(undefined);
  });

  it('is none that was signed as another version', async () => {
    await release('1.1.0', '1.3.0');
    expect(findBoxRelease(source, '1.3.0')).to.equal(undefined);
  });

  it('is none that was changed after it was signed', () => {
    writeFileSync(join(source.RELEASES_DIR, '1.1.0', 'SHA256SUMS'), `${'0'.repeat(64)}  conductor-linux-amd64\n`);
    expect(() => findBoxRelease(source, '1.1.0')).to.throw('SHA256SUMS is not what was signed.');
  });
});
