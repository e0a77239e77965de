import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseBoxRelease, findBoxRelease } from './box-release.ts';

describe('the release of a box', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const write = (name: string, digit: string, version?: string): { 'conductor-linux-amd64': string } => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'SHA256SUMS'), `${digit.repeat(64)}  conductor-linux-amd64\n`);
    if (version !== undefined) writeFileSync(join(folder, name, 'manifest.json'), JSON.stringify({ version }));
    return { 'conductor-linux-amd64': digit.repeat(64) };
  };
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is what it runs well, as long as that is kept; a new box gets the newest', () => {
    expect(findBoxRelease(folder)).to.equal(undefined);
    expect(chooseBoxRelease(folder, { release_version: '1.0.0' })).to.equal(undefined);
    const unnamed = write('', '1');
    expect(findBoxRelease(folder)).to.deep.equal({ version: undefined, sha256: unnamed });
    const newest = { version: '1.2.0', sha256: write('', '2', '1.2.0') };
    const older = { version: '1.1.0', sha256: write('1.1.0', '3') };
    expect(findBoxRelease(folder)).to.deep.equal(newest);
    expect(findBoxRelease(folder, '1.2.0')).to.deep.equal(newest);
    expect(findBoxRelease(folder, '1.1.0')).to.deep.equal(older);
    expect(chooseBoxRelease(folder, { release_version: null })).to.deep.equal(newest);
    expect(chooseBoxRelease(folder, { release_version: '1.1.0' })).to.deep.equal(older);
    expect(chooseBoxRelease(folder, { release_version: '1.1.0' }, '1.2.0')).to.deep.equal(newest);
    expect(chooseBoxRelease(folder, { release_version: '1.0.0' }), 'nobody keeps that').to.deep.equal(newest);
    for (const odd of ['../1.1.0', '1.1', '', '1.1.0/']) expect(findBoxRelease(folder, odd), odd).to.equal(undefined);
  });
});
