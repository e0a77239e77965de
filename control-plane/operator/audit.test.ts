import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { recordAudit } from '../commands/audit.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { runOperator } from './run-operator.ts';

describe('operator audit', () => {
  let database: TestDatabase;
  let userId: string;
  before(async () => {
    database = await createTestDatabase();
    const [user] = await database.db('users').insert({ github_id: randomUUID(), username: 'Alice' }, ['id']);
    userId = String(user.id);
    for (const [action, about] of [
      ['user.signed_in', userId],
      ['rollout.started', null],
      ['user.signed_out', userId],
    ] as const)
      await database.db.transaction((tx) =>
        recordAudit(tx, { at: new Date('2026-11-26T08:00:00Z'), actor: 'system', user_id: about, action }),
      );
  });
  after(() => database.close());

  async function operator(...argv: string[]): Promise<{ code: number; out: string; said: string }> {
    const [out, said]: [string[], string[]] = [[], []];
    const code = await runOperator(['audit', ...argv], {
      env: createTestEnvironment(database.url),
      out: (text) => void out.push(text),
      say: (text) => void said.push(text),
      signal: new AbortController().signal,
    });
    return { code, out: out.join('\n'), said: said.join('\n') };
  }

  it('lists what the log says of one person, by login or id', async () => {
    const rows = await database.db('audit_log').where('user_id', userId).orderBy('id');
    const shown = JSON.parse(JSON.stringify(rows));
    for (const who of ['alice', userId])
      expect(JSON.parse((await operator('list', '--user', who, '--json')).out)).to.deep.equal(shown);
    expect((await operator('list', '--user', 'alice')).out.split('\n')).to.have.length(3);
    expect(await operator('list', '--user', 'nobody')).to.deep.include({ code: 1, out: '' });
    expect(await operator('list')).to.deep.include({ code: 64, out: '' });
  });

  it('prints rows and head, and names the row that is not what was written', async () => {
    const { hash: head } = await database.db('audit_log').orderBy('id', 'desc').first('hash');
    expect(await operator('verify')).to.deep.equal({ code: 0, out: `rows: 3\nhead: ${head}`, said: '' });
    expect(JSON.parse((await operator('verify', '--json', '--head', head)).out)).to.deep.equal({ rows: 3, head });
    expect((await operator('verify', '--head', 'f')).code).to.equal(64);
    await database.db.raw('ALTER TABLE audit_log DISABLE TRIGGER audit_log_append_only');
    await database.db.raw('DELETE FROM audit_log WHERE id = 3');
    expect((await operator('verify')).code, 'without the head').to.equal(0);
    const cut = await operator('verify', '--head', head);
    expect([cut.code, cut.said.includes('Row 2 is not followed by')]).to.deep.equal([1, true]);
    await database.db.raw("UPDATE audit_log SET action = 'x' WHERE id = 1");
    const broken = await operator('verify');
    expect([broken.code, broken.said.includes('Row 1 is not what was written')]).to.deep.equal([1, true]);
  });
});
