import { chmod, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { createCredentials, createTokens, USER_ID } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import {
  deleteCredentials,
  findCredentialsPath,
  loadCredentials,
  saveCredentials,
  showPath,
  toCredentials,
} from './credentials.ts';

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );
const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('credentials', () => {
  it('are where the architecture says, or under SPOQ_HOME', () => {
    expect(findCredentialsPath({ env: {}, homeFolder: '/home/alice' })).to.equal('/home/alice/.spoq/credentials');
    expect(findCredentialsPath({ env: { SPOQ_HOME: '/x' }, homeFolder: '/home/alice' })).to.equal('/x/credentials');
    expect(showPath('/home/alice/.spoq/credentials', '/home/alice')).to.equal('~/.spoq/credentials');
  });

  it('have exactly the six fields', () => {
    expect(toCredentials(createTokens(), Date.parse('2024-01-15T09:30:00.123Z'))).to.deep.equal({
      vps_hostname: 'https://alice.spoq.dev',
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      expires_at: '2024-01-15T10:30:00Z',
      user_id: USER_ID,
      username: 'alice',
    });
  });

  it('are readable by their owner alone, in a folder of their owner alone', async () => {
    await using folder = await createTemporaryFolder();
    const path = join(folder.path, 'home', 'credentials');
    await mkdir(join(folder.path, 'home'), { mode: 0o755 });
    await chmod(join(folder.path, 'home'), 0o755);
    await writeFile(path, 'old', { mode: 0o644 });
    await saveCredentials(path, createCredentials());
    expect([await mode(path), await mode(join(folder.path, 'home'))]).to.deep.equal([0o600, 0o700]);
    expect(await loadCredentials(path)).to.deep.equal(createCredentials());
    expect(await readFile(path, 'utf8')).to.equal(`${JSON.stringify(createCredentials(), null, 2)}\n`);
    expect(await readdir(join(folder.path, 'home'))).to.deep.equal(['credentials']);
  });

  it('are never half written: readers see the old ones or the new ones', async () => {
    await using folder = await createTemporaryFolder();
    const path = join(folder.path, 'credentials');
    await saveCredentials(path, createCredentials({ access_token: 'a0' }));
    const state = { writing: true };
    const seen = new Set<string>();
    const reader = (async () => {
      while (state.writing) seen.add((await loadCredentials(path))?.access_token.slice(0, 1) ?? 'nothing');
    })();
    for (let round = 1; round < 40; round++)
      await saveCredentials(path, createCredentials({ access_token: `a${round}` }));
    state.writing = false;
    await reader;
    expect([...seen]).to.deep.equal(['a']);
  });

  it('keep the old file and leave no draft when they cannot be written', async () => {
    await using folder = await createTemporaryFolder({ 'not-a-folder': 'x', 'taken/credentials/x': 'x' });
    const blocked = await failure(
      saveCredentials(join(folder.path, 'not-a-folder', 'credentials'), createCredentials()),
    );
    expect(blocked).to.include({ code: 'file_unusable', exit: 74 });
    expect(await failure(saveCredentials(join(folder.path, 'taken', 'credentials'), createCredentials()))).to.include({
      code: 'file_unusable',
    });
    expect(await readdir(join(folder.path, 'taken'))).to.deep.equal(['credentials']);
  });

  it('are missing, broken or there', async () => {
    await using folder = await createTemporaryFolder({ broken: '{"vps_hostname":', wrong: '{}' });
    const at = (name: string): string => join(folder.path, name);
    expect(await loadCredentials(at('missing'))).to.equal(undefined);
    for (const name of ['broken', 'wrong']) {
      expect(await failure(loadCredentials(at(name)))).to.include({
        code: 'not_authenticated',
        detail: `${at(name)} is broken: it does not hold a sign-in.`,
        next: "Run 'spoq init' to sign in again.",
      });
    }
    expect(await failure(loadCredentials(folder.path))).to.include({ code: 'file_unusable' });
  });

  it('can be removed, twice', async () => {
    await using folder = await createTemporaryFolder({ credentials: 'x' });
    await deleteCredentials(join(folder.path, 'credentials'));
    await deleteCredentials(join(folder.path, 'credentials'));
    expect(await readdir(folder.path)).to.deep.equal([]);
  });
});
