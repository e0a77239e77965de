import { existsSync } from 'node:fs';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import { createCredentials, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import type { TemporaryFolder } from '../testing/temporary-folder.ts';

const LAST = 'Your box goes on. PATH and completion lines that you wrote are left to you.\n';

describe('spoq uninstall', () => {
  let folder: TemporaryFolder;
  const path = (): string => join(folder.path, 'bin', 'spoq');
  const credentials = (): string => join(folder.path, '.spoq', 'credentials');

  beforeEach(async () => {
    folder = await createTemporaryFolder({ 'bin/spoq': '', 'bin/other': '' });
    await writeCredentials(credentials(), createCredentials());
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  async function uninstall(args: string[], options: TestDepsOptions = {}): Promise<TestDeps & { code: number }> {
    const executable = { path: path(), publicKey: 'x' };
    const deps = createTestDeps({
      homeFolder: folder.path,
      env: { SPOQ_URL: 'http://127.0.0.1:1' },
      executable,
      ...options,
    });
    return { ...deps, code: await runCli(deps, ['uninstall', ...args]) };
  }

  it('removes the program and says that the sign-in is kept', async () => {
    const { code, out, err, asked } = await uninstall([]);
    const kept = "Kept: your sign-in in ~/.spoq/credentials. Delete that file if you don't come back.\n";
    expect([code, out(), err(), asked]).to.deep.equal([0, `Removed ${path()}.\n${kept}${LAST}`, '', []]);
    expect([await readdir(join(folder.path, 'bin')), existsSync(credentials())]).to.deep.equal([['other'], true]);
  });

  it('signs out first, with --purge', async () => {
    await using server = await startFakeServer({ 'POST /auth/revoke': (_, response) => sendJson(response, 200, {}) });
    const { code, out, err } = await uninstall(['--purge'], { env: { SPOQ_URL: server.url } });
    expect([code, out(), err()]).to.deep.equal([
      0,
      `Signed out. ~/.spoq/credentials was removed.\nRemoved ${path()}.\n${LAST}`,
      '',
    ]);
    expect(server.requests.length).to.equal(1);
    expect([existsSync(path()), existsSync(credentials())]).to.deep.equal([false, false]);
  });

  it('asks on a terminal, and says when the tokens could not be revoked', async () => {
    const no = await uninstall([], { tty: true, answer: false });
    expect(no.asked).to.deep.equal(['Sign out and remove ~/.spoq/credentials as well?']);
    expect([existsSync(path()), existsSync(credentials())]).to.deep.equal([false, true]);
    await folder.write({ 'bin/spoq': '' });
    const yes = await uninstall([], { tty: true, answer: true });
    expect(yes.err()).to.contain('The sign-in was not revoked: 127.0.0.1:1 refused the connection.');
    expect([yes.code, existsSync(path()), existsSync(credentials())]).to.deep.equal([0, false, false]);
  });

  it('has nothing to ask where nobody is signed in', async () => {
    await folder.write({ 'empty/x': '' });
    const { code, out, asked } = await uninstall(['--purge'], { tty: true, homeFolder: join(folder.path, 'empty') });
    expect([code, out(), asked]).to.deep.equal([0, `Removed ${path()}.\n${LAST}`, []]);
  });

  it('reports as JSON', async () => {
    const { code, out } = await uninstall(['--json'], { tty: true });
    expect([code, JSON.parse(out())]).to.deep.equal([0, { removed: path(), signed_out: false, kept: credentials() }]);
  });

  it('touches nothing where it cannot remove the program', async () => {
    const windows = await uninstall(['--purge'], { platform: 'win32' });
    expect([windows.code, windows.err()]).to.deep.equal([
      74,
      `✗ A file on this computer cannot be used.\n  Windows does not let a program remove itself. Nothing was removed.\n  Sign out with 'spoq logout', then delete ${path()}.\n`,
    ]);
    await chmod(join(folder.path, 'bin'), 0o555);
    // Root may write everywhere, except where nobody may.
    const place = process.getuid?.() === 0 ? '/proc/version' : path();
    if (existsSync(place)) {
      const sealed = await uninstall(['--purge'], { executable: { path: place, publicKey: 'x' } });
      expect([sealed.code, sealed.err()]).to.deep.equal([
        74,
        `✗ A file on this computer cannot be used.\n  ${join(place, '..')} cannot be written. Nothing was removed.\n  Run it as somebody who may write there: sudo ${place} uninstall\n`,
      ]);
    }
    await chmod(join(folder.path, 'bin'), 0o755);
    expect([existsSync(path()), existsSync(credentials())]).to.deep.equal([true, true]);
  });

  it('is not for boxes, nor for clones', async () => {
    await folder.write({ marker: '{"vps":true,"conductor":"http://localhost:8080","version":"1.0"}' });
    const box = await uninstall([], { env: { SPOQ_VPS_MARKER: join(folder.path, 'marker') } });
    expect([box.code, box.err()]).to.deep.equal([
      1,
      '✗ This conflicts with what is there.\n  This is your box: spoq is a part of it. Nothing was removed.\n  Run it on your own computer.\n',
    ]);
    const clone = await uninstall([], { executable: undefined });
    expect([clone.code, existsSync(path())]).to.deep.equal([1, true]);
  });
});
