import { expect } from 'chai';
import { compareVersions, isVersion } from './release.ts';

describe('versions', () => {
  it('come in the order of SemVer 2.0.0', () => {
    const ordered =
      '0.9.9 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.10 1.2.0 2.0.0'.split(
        ' ',
      );
    for (const [index, version] of ordered.entries())
      for (const [other, later] of ordered.entries())
        expect(Math.sign(compareVersions(version, later)), `${version} ${later}`).to.equal(Math.sign(index - other));
  });

  it('are what may stand in a path, and nothing else', () => {
    expect(['0.1.0', '10.20.30', '1.0.0-rc.1'].map(isVersion)).to.deep.equal([true, true, true]);
    for (const wrong of ['', '1', '1.0', 'v1.0.0', '01.0.0', '1.0.0/..', '../1.0.0', '1.0.0-', '1.0.0 ', '1.0.0-a..b'])
      expect(isVersion(wrong), wrong).to.equal(false);
  });
});
