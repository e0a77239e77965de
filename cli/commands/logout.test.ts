import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import { createCredentials, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

interface Result {
  code: number;
  out: string;
  err: string;
}

async function logout(home: string, env: Record<string, string>, ...args: string[]): Promise<Result> {
  const deps = createTestDeps({ homeFolder: home, env });
  const code = await runCli(deps, ['logout', ...args]);
  return { code, out: deps.out(), err: deps.err() };
}

const SIGNED_OUT = 'Signed out. ~/.spoq/credentials was removed.\n';

describe('spoq logout', () => {
  it('revokes the refresh token and removes the file', async () => {
    await using folder = await createTemporaryFolder();
    await using server = await startFakeServer({ 'POST /auth/revoke': (_, res) => sendJson(res, 200, {}) });
    await writeCredentials(join(folder.path, '.spoq', 'credentials'), createCredentials());
    expect(await logout(folder.path, { SPOQ_URL: server.url })).to.deep.equal({ code: 0, out: SIGNED_OUT, err: '' });
    expect(server.requests.map((request) => request.body)).to.deep.equal([
      'token=refresh-1&token_type_hint=refresh_token',
    ]);
    expect(await readdir(join(folder.path, '.spoq'))).to.deep.equal([]);
    expect(await logout(folder.path, {})).to.deep.equal({ code: 0, out: 'This computer is not signed in.\n', err: '' });
  });

  it('removes the file when it cannot be revoked, and says so', async () => {
    await using folder = await createTemporaryFolder();
    const env = { SPOQ_URL: 'http://127.0.0.1:1' };
    await writeCredentials(join(folder.path, '.spoq', 'credentials'), createCredentials());
    expect(await logout(folder.path, env)).to.deep.equal({
      code: 0,
      out: SIGNED_OUT,
      err: 'The sign-in was not revoked: 127.0.0.1:1 refused the connection.\nIt ends by itself after 30 days without use.\n',
    });
    await writeCredentials(join(folder.path, '.spoq', 'credentials'), createCredentials());
    expect(await logout(folder.path, env, '--json')).to.deep.equal({
      code: 0,
      out: '{"signed_out":true,"revoked":false}\n',
      err: '',
    });
  });

  it('removes a broken file', async () => {
    await using folder = await createTemporaryFolder();
    await mkdir(join(folder.path, '.spoq'));
    await writeFile(join(folder.path, '.spoq', 'credentials'), '{');
    expect(await logout(folder.path, {}, '--json')).to.deep.equal({
      code: 0,
      out: '{"signed_out":true,"revoked":false}\n',
      err: '',
    });
    expect(await readdir(join(folder.path, '.spoq'))).to.deep.equal([]);
  });

  it('has nothing to do on a box', async () => {
    await using folder = await createTemporaryFolder({
      marker: '{"vps":true,"conductor":"http://localhost:8080","version":"1.0"}',
    });
    const result = await logout(folder.path, { SPOQ_VPS_MARKER: join(folder.path, 'marker') });
    expect(result).to.deep.equal({ code: 0, out: 'This is your box: there is no sign-in here.\n', err: '' });
  });
});
