import { expect } from 'chai';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { longestFirst, readTestTimes, rememberTestTimes } from './test-times.ts';

describe('the order of test files', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-times-'));
  const env = { SPOQ_CACHE_DIR: path.join(dir, 'cache') };
  after(() => rmSync(dir, { recursive: true }));

  it('begins with those that are new, and then with what takes longest', () => {
    const times = { 'a.test.ts': 10, 'b.test.ts': 3000, 'c.test.ts': 200 };
    const files = ['a.test.ts', 'b.test.ts', 'c.test.ts', 'e.test.ts', 'd.test.ts'];
    expect(longestFirst(files, times)).to.deep.equal(['d.test.ts', 'e.test.ts', 'b.test.ts', 'c.test.ts', 'a.test.ts']);
  });

  it('is remembered beside that of other runs, and does without what it cannot read', () => {
    expect(readTestTimes(env)).to.deep.equal({});
    rememberTestTimes(env, { 'a.test.ts': 10, 'b.test.ts': 20 });
    rememberTestTimes(env, { 'b.test.ts': 30 });
    expect(readTestTimes(env)).to.deep.equal({ 'a.test.ts': 10, 'b.test.ts': 30 });
    const files = readdirSync(env.SPOQ_CACHE_DIR);
    expect(files).to.deep.equal(['test-times.json']);
    writeFileSync(path.join(env.SPOQ_CACHE_DIR, 'test-times.json'), '{"a.test.ts":');
    expect(readTestTimes(env)).to.deep.equal({});
  });
});
