import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';
import { openStaging } from './staging.ts';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('contents that wait', () => {
  it('are known again when the area is opened, and only those that are what their names say', async () => {
    await using folder = await createTemporaryFolder({});
    const at = join(folder.path, 'staged');
    const first = openStaging(at);
    expect(first.put(hashOf('whole'), Buffer.from('whole'))).to.equal(true);
    expect(first.put(hashOf('cut'), Buffer.from('cut'))).to.equal(true);
    expect(first.add(hashOf('piece by piece'), 14, 0, Buffer.from('piece '))).to.equal(true);
    first.close();
    writeFileSync(join(at, hashOf('cut')), 'c'); // As a power cut leaves it.
    writeFileSync(join(at, 'what nobody knows'), '');
    const nobodys = hashOf('nobody came for it');
    writeFileSync(join(at, nobodys), 'nobody came for it');
    const lastMonth = new Date(Date.now() - 30 * 24 * 3_600_000);
    utimesSync(join(at, nobodys), lastMonth, lastMonth);
    const again = openStaging(at);
    expect(again.list()).to.deep.equal({ [hashOf('whole')]: 5, [hashOf('piece by piece')]: 6 });
    expect(readdirSync(at).sort()).to.deep.equal([hashOf('whole'), `${hashOf('piece by piece')}.part`].sort());
    expect(again.add(hashOf('piece by piece'), 14, 6, Buffer.from('by piece'))).to.equal(true);
    for (const [text, mode] of [
      ['whole', 0o644],
      ['piece by piece', 0o755],
    ] as const) {
      const target = join(folder.path, text);
      again.place(hashOf(text), target, { mode, replace: false, keep: false });
      expect([readFileSync(target, 'utf8'), statSync(target).mode & 0o777]).to.deep.equal([text, mode]);
    }
    expect(again.list()).to.deep.equal({});
  });

  it('are refused when they have another hash', async () => {
    await using folder = await createTemporaryFolder({});
    const staging = openStaging(join(folder.path, 'staged'));
    expect(staging.put(hashOf('a'), Buffer.from('b'))).to.equal(false);
    expect(staging.add(hashOf('a'), 2, 0, Buffer.from('b'))).to.equal(true);
    expect(staging.add(hashOf('a'), 2, 1, Buffer.from('b'))).to.equal(false);
    expect([staging.has(hashOf('a')), staging.list()]).to.deep.equal([false, {}]);
  });

  it('stay when their place is taken, and leave nothing else', async () => {
    await using folder = await createTemporaryFolder({});
    const [at, target] = [join(folder.path, 'staged'), join(folder.path, 'taken')];
    const staging = openStaging(at);
    staging.put(hashOf('new'), Buffer.from('new'));
    writeFileSync(target, 'old');
    for (const keep of [true, false]) {
      const place = (): void => staging.place(hashOf('new'), target, { mode: 0o600, replace: false, keep });
      expect(place).to.throw().with.property('code', 'EEXIST');
      expect([readFileSync(target, 'utf8'), readdirSync(at)]).to.deep.equal(['old', [hashOf('new')]]);
    }
    const free = join(folder.path, 'free');
    staging.place(hashOf('new'), free, { mode: 0o644, replace: false, keep: false });
    expect([readFileSync(free, 'utf8'), statSync(free).mode & 0o777, readdirSync(at)]).to.deep.equal([
      'new',
      0o644,
      [],
    ]);
  });
});
