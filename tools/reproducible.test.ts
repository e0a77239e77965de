import { expect } from 'chai';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { buildRelease, hostTarget, SOURCE_FOLDERS } from './build-release.ts';
import { runCommand } from './run-command.ts';

const ROOT = path.dirname(import.meta.dirname);

/** The same sources in two clones of other names and depths, with nothing in common but the key. */
describe('two builds of the same sources', function () {
  this.timeout(120_000);
  let folder: string;
  before(() => {
    mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
    folder = mkdtempSync(path.join(ROOT, 'dist', 'reproducible-')); // hard links need the file system of node_modules
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function build(root: string): Promise<Record<string, Buffer>> {
    for (const part of [...SOURCE_FOLDERS, 'package.json', 'package-lock.json'])
      cpSync(path.join(ROOT, part), path.join(root, part), { recursive: true });
    const linked = await runCommand('cp', ['-al', path.join(ROOT, 'node_modules'), path.join(root, 'node_modules')]);
    expect(linked).to.deep.include({ code: 0 });
    const env = { ...process.env, SPOQ_CACHE_DIR: path.join(folder, 'cache'), SOURCE_DATE_EPOCH: '1700000000' };
    const out = path.join(root, 'dist', 'release');
    const { manifest } = await buildRelease(out, [hostTarget()], { root, env, onProgress: () => {} });
    const names = [...manifest.files.map(({ name }) => name), 'SHA256SUMS.minisig', 'manifest.json.minisig'];
    return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(out, name))]));
  }

  it('give the same bytes, signatures included', async function () {
    if (process.platform !== 'linux') return this.skip(); // cp -l
    const first = await build(path.join(folder, 'a'));
    const second = await build(path.join(folder, 'another', 'place'));
    expect(Object.keys(first).length).to.equal(4);
    const other = Object.keys(first).filter((name) => second[name]?.equals(first[name] ?? Buffer.alloc(0)) !== true);
    expect(other).to.deep.equal([]);
    for (const name of Object.keys(first)) expect(first[name]?.includes(folder), name).to.equal(false);
  });
});
