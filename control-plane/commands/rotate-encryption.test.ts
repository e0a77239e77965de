import { expect } from 'chai';
import { randomBytes, randomUUID } from 'node:crypto';
import { createCipher } from '../cipher.ts';
import { SEALED_COLUMNS } from '../db/sealed-columns.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import { printEncryption, runEncryption, type EncryptionAction } from '../operator/encryption.ts';
import { unsealPasswordCrypt } from '../password/hash.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { createRefreshToken } from './issue-tokens.ts';
import { openBootToken } from './open-boot-token.ts';
import { rotateEncryption } from './rotate-encryption.ts';
import { rotateRefreshToken } from './rotate-refresh-token.ts';
import { loadSigningKey } from './signing-keys.ts';

const newKey = () => randomBytes(32).toString('base64');
const NAMES = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`);

describe('rotation of ENCRYPTION_KEY', function () {
  this.timeout(60_000);
  const [old, next] = [newKey(), newKey()];
  let world: BoxWorld;
  let box: UserVpsRow;
  /** A refresh token that was used and whose successor is sealed. */
  let token: string;

  before(async () => {
    world = await createBoxWorld({ ENCRYPTION_KEY: old });
    const { browser, userId } = await world.becomeReady('rota');
    await browser.postJson('/api/vps/provision', { region: 'EU' });
    const { deps } = world.cp;
    box = await deps.db('user_vps').where('user_id', userId).first();
    await openBootToken(deps, box);
    token = await createRefreshToken(deps, userId, {
      familyId: randomUUID(),
      label: 'laptop',
      ip: '127.0.0.1',
      signedInAt: deps.now(),
    });
    await rotateRefreshToken(deps, token, '127.0.0.1');
  });
  after(() => world.close());

  /** The control plane after a restart with these keys. */
  const withKeys = (...keys: string[]): Deps => ({ ...world.cp.deps, cipher: createCipher(keys.join(',')) });

  /** Everything that is sealed, as those read it who need it. */
  async function readAll(deps: Deps): Promise<unknown> {
    const row = await deps.db('user_vps').where('id', box.id).first();
    const password = await deps.db('ssh_passwords').where('user_id', box.user_id).first();
    return {
      signing: (await loadSigningKey(deps)).jwk.d,
      jwt: unsealJwtSecret(deps.cipher, row),
      crypt: unsealPasswordCrypt(deps.cipher, row),
      chosen: unsealPasswordCrypt(deps.cipher, { ...row, ssh_password_crypt: password.crypt_sealed }),
      boot: await openBootToken(deps, row),
      successor: (await rotateRefreshToken(deps, token, '127.0.0.1')).refresh_token,
    };
  }

  async function operator(deps: Deps, action: EncryptionAction, signal = new AbortController().signal) {
    const said: string[] = [];
    const status = await runEncryption(deps, action, { signal, say: (text) => said.push(text) });
    return { status, said, printed: printEncryption(status) };
  }

  it('knows every sealed column of the schema', async () => {
    const { rows } = await world.database.db.raw<{ rows: { name: string }[] }>(`
      SELECT table_name || '.' || column_name AS name FROM information_schema.columns
      WHERE table_schema = 'public'
        AND (column_name LIKE '%\\_sealed' OR column_name IN ('ssh_password_crypt', 'jwt_secret'))`);
    expect(NAMES.toSorted(), 'SEALED_COLUMNS of control-plane/db/sealed-columns.ts').to.deep.equal(
      rows.map(({ name }) => name).toSorted(),
    );
  });

  it('leaves nothing unread at any step from one key to the next', async () => {
    const all = await readAll(withKeys(old));
    const one = createCipher(old).keyId;
    const two = createCipher(next).keyId;
    const before = await operator(withKeys(old), 'status');
    expect(before.status).to.deep.equal({
      key_id: one,
      columns: NAMES.map((column) => ({ column, keys: { [one]: 1 } })),
      left: 0,
    });

    expect(await readAll(withKeys(old, next)), 'known everywhere').to.deep.equal(all);
    expect(await readAll(withKeys(next, old)), 'sealing').to.deep.equal(all);
    const half = await operator(withKeys(next, old), 'status');
    expect([half.status.left, half.printed.split('\n').at(-1)]).to.deep.equal([
      NAMES.length,
      `${NAMES.length} values are sealed with other keys than ${two}: keep those in ENCRYPTION_KEY.`,
    ]);

    const rotated = await operator(withKeys(next, old), 'rotate');
    expect(rotated.said).to.deep.equal(NAMES.map((name) => `${name}: 1 sealed anew`));
    expect(rotated.status.columns).to.deep.equal(NAMES.map((column) => ({ column, keys: { [two]: 1 } })));
    expect(rotated.printed).to.include(
      `Everything is sealed with the key ${two}, the first of ENCRYPTION_KEY. Every other key may be removed from it.`,
    );
    expect(await readAll(withKeys(next)), 'alone').to.deep.equal(all);
    const [audit] = await world.database
      .db('audit_log')
      .where('action', 'encryption.rotated')
      .select('actor', 'detail');
    expect(audit).to.deep.equal({
      actor: 'operator',
      detail: { key_id: two, resealed: String(NAMES.length), left: '0' },
    });

    const again = await operator(withKeys(next, old), 'rotate');
    expect(again.said).to.deep.equal(NAMES.map((name) => `${name}: 0 sealed anew`));
  });

  it('takes up what was sealed before keys had ids', async () => {
    const { db } = world.database;
    const all = await readAll(withKeys(next));
    for (const { table, column } of SEALED_COLUMNS)
      await db(table).update({ [column]: db.raw(`regexp_replace(??, '^v2\\.[0-9a-f]+', 'v1')`, [column]) });
    expect(await readAll(withKeys(old, next))).to.deep.equal(all);
    expect((await operator(withKeys(next), 'status')).status.columns[0]?.keys).to.deep.equal({ v1: 1 });
    expect((await operator(withKeys(next), 'rotate')).status.left).to.equal(0);
    expect(await readAll(withKeys(next))).to.deep.equal(all);
  });

  it('is begun again where it was ended, in batches, and by two at once', async () => {
    const { db } = world.database;
    const third = newKey();
    const deps = withKeys(third, next);
    const [user] = await db('users').select('id').limit(1);
    const rows = Array.from(
      { length: 450 },
      (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    );
    await db('refresh_tokens').insert(
      rows.map((id) => ({
        id,
        user_id: user.id,
        family_id: id,
        token_hash: id,
        successor_sealed: createCipher(next).encrypt('x', `refresh_tokens.successor:${id}`),
        expires_at: new Date(Date.now() + 60_000),
      })),
    );
    const stop = new AbortController();
    const tell = ({ column, resealed }: { column: string; resealed: number }) => {
      if (column === 'refresh_tokens.successor_sealed' && resealed >= 200) stop.abort();
    };
    await rotateEncryption(deps, { signal: stop.signal, tell }).catch(() => {});
    expect((await operator(deps, 'status')).status.left).to.equal(451 - 200 + 1);
    const stopped = operator(deps, 'rotate', AbortSignal.abort());
    expect(await stopped.catch((error: { code: string }) => error.code)).to.equal('cancelled');
    const [one, two] = await Promise.all([operator(deps, 'rotate'), operator(deps, 'rotate')]);
    expect([one.status.left, two.status.left]).to.deep.equal([0, 0]);
    await readAll(withKeys(third));
  });

  it('passes over what no key opens, and says that the other keys must stay', async () => {
    const deps = withKeys(newKey());
    await world.database.db('refresh_tokens').whereRaw('family_id = id').delete();
    const { status, said, printed } = await operator(deps, 'rotate');
    expect([status.left, said[0]]).to.deep.equal([
      NAMES.length,
      'signing_keys.private_jwk_sealed: 0 sealed anew, 1 that no key opens',
    ]);
    expect(printed).to.not.include('may be removed');
  });
});
