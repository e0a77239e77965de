import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { findBoxOf } from './find-box.ts';

describe('the box that an operator means', function () {
  this.timeout(30_000);
  let database: TestDatabase;
  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.close());

  /** Somebody of that GitHub login with a box. */
  async function addBox(username: string, status: string, userId?: string): Promise<{ id: string; userId: string }> {
    const { db } = database;
    const owner = userId ?? randomUUID();
    if (userId === undefined) await db('users').insert({ id: owner, github_id: randomUUID(), username });
    const id = randomUUID();
    const secrets = { ssh_password_hash: 'x', ssh_password_crypt: 'x', jwt_secret: 'x' };
    const where = { provider: 'contabo', region: 'EU', plan: 'basic', hostname: `${id}.spoq.localhost` };
    await db('user_vps').insert({ id, user_id: owner, status, ...where, ...secrets });
    return { id, userId: owner };
  }
  const idOf = async (who: string) => (await findBoxOf(database.db, who)).id;

  it('is found by login, host name, box, user and stack; the living one before those that were', async () => {
    const { userId } = await addBox('alice', 'terminated');
    const { id } = await addBox('alice', 'ready', userId);
    for (const who of ['alice', 'ALICE', `${id}.spoq.localhost`, id, `box-${id}`, userId])
      expect(await idOf(who), who).to.equal(id);
  });

  it('is not guessed where two people have had the same login', async () => {
    const old = await addBox('bob', 'ready');
    const young = await addBox('Bob', 'failed');
    const error: unknown = await findBoxOf(database.db, 'bob').catch((thrown: unknown) => thrown);
    expect(error).to.deep.include({ code: 'conflict' });
    expect((error as Error).message)
      .to.contain(`box-${old.id}`)
      .and.contain(`box-${young.id}`);
    for (const { id } of [old, young]) expect(await idOf(`box-${id}`)).to.equal(id);
  });

  it('is not there', async () => {
    const error: unknown = await findBoxOf(database.db, 'nobody').catch((thrown: unknown) => thrown);
    expect(error).to.deep.include({ code: 'no_box' });
  });
});
