import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { createCipher } from '../cipher.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { runOperator } from './run-operator.ts';

describe('operator encryption', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let env: Record<string, string>;
  before(async () => {
    database = await createTestDatabase();
    env = { ...createTestEnvironment(database.url), LOG_LEVEL: 'silent' };
  });
  after(() => database.close());

  async function operator(...argv: string[]) {
    const [out, said]: string[][] = [[], []];
    const io = { out: (text: string) => void out?.push(text), say: (text: string) => void said?.push(text) };
    const code = await runOperator(['encryption', ...argv], { env, ...io, signal: new AbortController().signal });
    return { code, out: out?.join('\n'), said: said?.join('\n') };
  }

  it('tells which keys have sealed what, and seals anew', async () => {
    const { keyId } = createCipher(env['ENCRYPTION_KEY'] ?? '');
    expect(await operator('status')).to.deep.equal({
      code: 0,
      out: `Nothing is sealed yet.\nEverything is sealed with the key ${keyId}, the first of ENCRYPTION_KEY. Every other key may be removed from it.`,
      said: '',
    });
    const { code, out, said } = await operator('rotate', '--json');
    expect([code, JSON.parse(out ?? '').key_id, said?.split('\n')[0]]).to.deep.equal([
      0,
      keyId,
      'signing_keys.private_jwk_sealed: 0 sealed anew',
    ]);
    expect((await operator('forget')).code).to.equal(64);
  });
});
