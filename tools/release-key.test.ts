import { expect } from 'chai';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parsePublicKey, verifySignature } from '../contract/minisign.ts';
import { loadReleaseKey, publicFile, readReleaseKey, writeKeyPair } from './release-key.ts';
import { findOnPath, runCommand } from './run-command.ts';

describe('the release key', () => {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);
  const content = Buffer.from('what is released\n');

  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'spoq-key-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is made once, for its owner alone, and kept in the cache for the sandbox', () => {
    const env = { SPOQ_CACHE_DIR: at('cache') };
    const key = loadReleaseKey(env);
    expect(loadReleaseKey(env).publicKey).to.deep.equal(key.publicKey);
    const file = at('cache/release-key/sandbox.key');
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(readdirSync(path.dirname(file)).sort()).to.deep.equal(['sandbox.key', 'sandbox.pub']);
    expect(parsePublicKey(readFileSync(publicFile(file), 'utf8'))).to.deep.equal(key.publicKey);
    expect(() => writeKeyPair(file)).to.throw(`${file} is there already; nothing was changed.`);
    expect(loadReleaseKey(env).publicKey).to.deep.equal(key.publicKey);
    expect(readdirSync(path.dirname(file)).length).to.equal(2);
  });

  it('is the named one where one is named, and a bad one is named', () => {
    writeKeyPair(at('real.key'));
    const env = { SPOQ_CACHE_DIR: at('cache'), SPOQ_RELEASE_KEY_FILE: at('real.key') };
    expect(loadReleaseKey(env).publicKey.text).to.equal(readFileSync(at('real.pub'), 'utf8').split('\n')[1]);
    expect(() => loadReleaseKey({ ...env, SPOQ_RELEASE_KEY_FILE: at('none.key') })).to.throw(
      `The release key ${at('none.key')} cannot be read.`,
    );
    chmodSync(at('real.key'), 0o640);
    expect(() => loadReleaseKey(env)).to.throw(`Others can read ${at('real.key')}, and with it sign as you.`);
    writeFileSync(at('odd.key'), 'untrusted comment: x\nRWQ=\n', { mode: 0o600 });
    expect(() => readReleaseKey(at('odd.key'))).to.throw('is not a secret key of minisign');
    const secret = Buffer.from(readFileSync(at('real.key'), 'utf8').split('\n')[1] ?? '', 'base64');
    secret.write('Sc', 2);
    writeFileSync(at('locked.key'), `untrusted comment: x\n${secret.toString('base64')}\n`, { mode: 0o600 });
    expect(() => readReleaseKey(at('locked.key'))).to.throw('has a password');
    expect(readdirSync(folder)).not.to.include('cache');
  });

  it('makes signatures that hold for this content, comment and key alone', () => {
    writeKeyPair(at('a.key'));
    writeKeyPair(at('b.key'));
    const [a, b] = [readReleaseKey(at('a.key')), readReleaseKey(at('b.key'))];
    const signature = a.sign(content, 'file:x\tversion:1.0.0');
    const verify = (text: string, bytes = content, key = a.publicKey): string => {
      try {
        return verifySignature('x', bytes, text, key);
      } catch (error) {
        return String(error);
      }
    };
    expect(verify(signature)).to.equal('file:x\tversion:1.0.0');
    expect(a.sign(content, 'file:x\tversion:1.0.0')).to.equal(signature);
    expect(verify(signature, Buffer.from('what is releasex\n'))).to.contain('x is not what was signed.');
    expect(verify(signature.replace('1.0.0', '9.0.0'))).to.contain(
      "The comment of x's signature is not what was signed.",
    );
    expect(verify(b.sign(content, 'y'))).to.contain(
      `x is signed with the key ${b.publicKey.id}, and only ${a.publicKey.id} is trusted.`,
    );
    for (const odd of [
      '',
      'no signature',
      signature.replace(/^RU/m, 'RW'),
      signature.slice(0, -40),
      signature.replaceAll('trusted comment: ', ''),
    ])
      expect(verify(odd), odd).to.match(/is not one of minisign’s|of a kind that Spoq does not make/);
    expect(() => parsePublicKey('RWQ=')).to.throw('The public key is not one of minisign’s.');
  });

  it('understands minisign, and minisign understands it', async function () {
    const minisign = findOnPath('minisign', process.env['PATH']);
    if (minisign === undefined) {
      console.log('      minisign is not installed: whether it understands our signatures is not tried');
      return this.skip();
    }
    writeFileSync(at('SHA256SUMS'), content);
    writeKeyPair(at('ours.key'));
    const ours = readReleaseKey(at('ours.key'));
    writeFileSync(at('SHA256SUMS.minisig'), ours.sign(content, 'version:1.0.0\thashed'));
    const check = (): ReturnType<typeof runCommand> =>
      runCommand(minisign, ['-V', '-Q', '-P', ours.publicKey.text, '-m', at('SHA256SUMS')]);
    expect(await check()).to.deep.include({ code: 0, stdout: 'version:1.0.0\thashed\n' });
    writeFileSync(at('SHA256SUMS.minisig'), ours.sign(Buffer.from('else'), 'version:1.0.0\thashed'));
    expect((await check()).code).to.equal(1);

    // Its key and its signature, made as its manual says.
    expect((await runCommand(minisign, ['-G', '-W', '-p', at('theirs.pub'), '-s', at('theirs.key')])).code).to.equal(0);
    expect(
      (await runCommand(minisign, ['-S', '-s', at('theirs.key'), '-m', at('SHA256SUMS'), '-t', 'a comment'])).code,
    ).to.equal(0);
    const theirs = parsePublicKey(readFileSync(at('theirs.pub'), 'utf8'));
    expect(verifySignature('x', content, readFileSync(at('SHA256SUMS.minisig'), 'utf8'), theirs)).to.equal('a comment');
    // And each signs with the other's secret key.
    chmodSync(at('theirs.key'), 0o600);
    const borrowed = readReleaseKey(at('theirs.key'));
    expect(verifySignature('x', content, borrowed.sign(content, 'c'), theirs)).to.equal('c');
    expect(
      (await runCommand(minisign, ['-S', '-W', '-s', at('ours.key'), '-m', at('SHA256SUMS'), '-t', 'z'])).code,
    ).to.equal(0);
    expect(verifySignature('x', content, readFileSync(at('SHA256SUMS.minisig'), 'utf8'), ours.publicKey)).to.equal('z');
  });
});
