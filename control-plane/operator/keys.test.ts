import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { runOperator } from './run-operator.ts';

describe('operator keys', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let env: Record<string, string>;
  before(async () => {
    database = await createTestDatabase();
    env = { ...createTestEnvironment(database.url), LOG_LEVEL: 'silent' };
  });
  after(() => database.close());

  async function operator(argv: string[], confirm?: () => Promise<boolean>) {
    const out: string[] = [];
    const said: string[] = [];
    const code = await runOperator(['keys', ...argv], {
      env,
      out: (text) => void out.push(text),
      say: (text) => void said.push(text),
      signal: new AbortController().signal,
      ...(confirm === undefined ? {} : { confirm }),
    });
    return { code, out: out.join('\n'), said: said.join('\n') };
  }
  const states = async () =>
    (JSON.parse((await operator(['list', '--json'])).out) as { state: string }[]).map(({ state }) => state);

  it('lists them, brings the next one in, and takes the others back', async () => {
    expect(await operator(['list'])).to.deep.equal({
      code: 0,
      out: 'There are no keys yet: the first token makes one.',
      said: '',
    });
    await operator(['rotate', '--yes']);
    expect(await states()).to.deep.equal(['signing']);
    const rotated = await operator(['rotate', '--yes']);
    expect(rotated.code).to.equal(0);
    expect(rotated.out).to.match(
      /^KEY +STATE +MADE\n[\w-]{43} +coming: signs from [\d-]{10} [\d:]{5} UTC +[\d-]{10} [\d:]{5} UTC\n[\w-]{43} +signing +/,
    );
    expect((await operator(['rotate', '--now', '--yes'])).code).to.equal(0);
    expect(await states()).to.deep.equal(['signing', 'withdrawn', 'withdrawn']);
  });

  it('changes nothing that was not agreed to, and says what it would be', async () => {
    const before = await states();
    const refused = await operator(['rotate', '--now'], async () => false);
    expect(refused.code).to.equal(130);
    expect(refused.said).to.include('every other is taken back').and.include('Nothing was changed.');
    expect((await operator(['rotate'])).said).to.include('add --yes');
    expect(await states()).to.deep.equal(before);
    expect((await operator(['burn'])).code).to.equal(64);
  });

  it('prints nothing of a key but its name', async () => {
    const rows = await database.db('signing_keys').select('public_jwk', 'private_jwk_sealed');
    const printed = (await operator(['list', '--json'])).out + (await operator(['list'])).out;
    for (const row of rows) expect(printed).to.not.include(row.private_jwk_sealed).and.not.include(row.public_jwk.n);
  });
});
