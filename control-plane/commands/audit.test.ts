import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { recordAudit, verifyAudit } from './audit.ts';

describe('audit log', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase();
  });
  beforeEach(async () => {
    await database.db.raw('ALTER TABLE audit_log DISABLE TRIGGER audit_log_no_truncate');
    await database.db.raw('TRUNCATE audit_log RESTART IDENTITY');
    await database.db.raw('ALTER TABLE audit_log ENABLE TRIGGER audit_log_no_truncate');
  });
  after(() => database.close());

  const record = (action: string) =>
    database.db.transaction((tx) =>
      recordAudit(tx, {
        at: new Date('2026-11-23T08:00:00.123Z'),
        actor: 'system',
        action,
        detail: { zebra: 'ü', a: 1, nothing: null },
        ip: '::1',
      }),
    );
  /** What somebody with the database's owner's rights could do. */
  async function tamper(sql: string): Promise<void> {
    await database.db.raw('ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only');
    await database.db.raw(sql);
    await database.db.raw('ALTER TABLE audit_log ENABLE TRIGGER audit_log_append_only');
  }

  it('is whole when empty and when many write at once', async () => {
    expect(await verifyAudit(database.db)).to.deep.equal({ ok: true, rows: 0, head: '0'.repeat(64) });
    await Promise.all(Array.from({ length: 12 }, (_, index) => record(`thing.${index}`)));
    const verdict = await verifyAudit(database.db);
    const last = await database.db('audit_log').orderBy('id', 'desc').first('hash');
    expect(verdict).to.deep.equal({ ok: true, rows: 12, head: last.hash });
  });

  it('takes nothing back', async () => {
    await record('thing.done');
    for (const sql of ["UPDATE audit_log SET action = 'x'", 'DELETE FROM audit_log', 'TRUNCATE audit_log'])
      expect(String(await database.db.raw(sql).catch((error: unknown) => error))).to.include('append only');
  });

  it('goes with its transaction', async () => {
    const failure = new Error('rolled back');
    const attempt = database.db.transaction(async (tx) => {
      await recordAudit(tx, { at: new Date(), actor: 'system', action: 'thing.undone' });
      throw failure;
    });
    expect(await attempt.catch((error: unknown) => error)).to.equal(failure);
    expect(await verifyAudit(database.db)).to.include({ ok: true, rows: 0 });
  });

  const changed = 'is not what was written';
  const unlinked = 'does not follow the row before it';
  for (const [what, sql, id, reason] of [
    ['another action', "UPDATE audit_log SET action = 'x' WHERE id = 2", '2', changed],
    ['another time', "UPDATE audit_log SET at = at + interval '1 ms' WHERE id = 2", '2', changed],
    ['another detail', `UPDATE audit_log SET detail = '{"a": 2}' WHERE id = 2`, '2', changed],
    ['another person', 'UPDATE audit_log SET user_id = gen_random_uuid() WHERE id = 3', '3', changed],
    ['another address', 'UPDATE audit_log SET ip = NULL WHERE id = 1', '1', changed],
    ['a row taken out', 'DELETE FROM audit_log WHERE id = 2', '3', unlinked],
    ['two rows exchanged', 'UPDATE audit_log SET id = 9 - id WHERE id IN (2, 3)', '6', unlinked],
    [
      'a row put in',
      `INSERT INTO audit_log (at, actor, action, previous_hash, hash) SELECT at, actor, 'x', hash, repeat('a', 64)
       FROM audit_log ORDER BY id DESC LIMIT 1`,
      '4',
      changed,
    ],
  ] as const)
    it(`tells ${what}`, async () => {
      for (const action of ['one', 'two', 'three']) await record(action);
      await tamper(sql);
      expect(await verifyAudit(database.db)).to.deep.equal({ ok: false, id, reason });
    });

  it('shows by its head that the end was cut off', async () => {
    for (const action of ['one', 'two']) await record(action);
    const before = await verifyAudit(database.db);
    await tamper('DELETE FROM audit_log WHERE id = 2');
    const after = await verifyAudit(database.db);
    expect(after).to.include({ ok: true, rows: 1 });
    expect(after).to.not.deep.equal(before);
    const kept = before.ok ? before.head : '';
    const reason = 'is not followed by the row whose hash was kept: the end was cut off or rewritten';
    expect(await verifyAudit(database.db, kept)).to.deep.equal({ ok: false, id: '1', reason });
  });

  it('still knows a head that was kept when the log has grown', async () => {
    await record('one');
    const before = await verifyAudit(database.db);
    await record('two');
    expect(await verifyAudit(database.db, before.ok ? before.head : '')).to.include({ ok: true, rows: 2 });
  });
});
