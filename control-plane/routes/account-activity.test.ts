import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { recordAudit, type AuditEntry } from '../commands/audit.ts';
import type { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

const PAGE = '/account/activity';
const FILE = '/account/activity.jsonl';

describe('what was done in an account', function () {
  this.timeout(30_000);
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let people = 8100;
  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
  });
  after(async () => {
    await plane.close();
    await github.close();
    await database.close();
  });

  async function signIn(login: string): Promise<{ browser: Browser; userId: string }> {
    people += 1;
    github.script.person = { ...github.script.person, id: people, login };
    const browser = await plane.signIn();
    const user = await database.db('users').where('github_id', String(people)).first('id');
    return { browser, userId: String(user.id) };
  }

  const write = (entry: Omit<AuditEntry, 'at'>) =>
    database.db.transaction((tx) => recordAudit(tx, { at: new Date('2026-11-26T08:05:09.123Z'), ...entry }));
  const sentences = (text: string) => [...text.matchAll(/<li>\s*<p>(.*?)<\/p>/g)].map(([, sentence]) => sentence);
  const lines = (text: string) =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  it('is told without a box, the newest first, with time, address and who did it', async () => {
    const { browser, userId } = await signIn('ada');
    const user = { actor: `user:${userId}`, user_id: userId, ip: '192.0.2.7' };
    await write({ ...user, action: 'device.approved', detail: { device: '<laptop>', device_ip: '192.0.2.8' } });
    await write({ ...user, actor: 'operator', action: 'box.restart_requested', ip: '198.51.100.9' });
    const { status, text, headers } = await browser.get(PAGE);
    expect([status, headers.get('cache-control')]).to.deep.equal([200, 'no-store']);
    expect(sentences(text)).to.deep.equal([
      'The restart of your box was asked for.',
      'You let the computer “&lt;laptop&gt;” sign in.',
      'You signed in with GitHub as ada.',
    ]);
    for (const part of ['2026-11-26 08:05 UTC', 'by you, from <code>192.0.2.7</code>', 'by support (an operator)'])
      expect(text).to.contain(part);
    expect(text).not.to.contain('198.51.100.9');
  });

  it('goes on page after page, and tells nobody of anybody else', async () => {
    const { browser, userId } = await signIn('pia');
    const { browser: other, userId: otherId } = await signIn('otto');
    for (let index = 0; index < 120; index += 1)
      await write({
        actor: 'device',
        user_id: index % 6 === 5 ? otherId : userId,
        action: 'device.signed_in',
        detail: { device: `pc-${index}` },
      });
    const seen: string[][] = [];
    for (let path: string | undefined = PAGE; path !== undefined;) {
      const { text } = await browser.get(path);
      seen.push(sentences(text) as string[]);
      path = /href="([^"]+)"[^>]*>Older/.exec(text)?.[1];
    }
    expect(seen.map(({ length }) => length)).to.deep.equal([50, 50, 1]);
    const mine = Array.from({ length: 120 }, (_, index) => index).filter((index) => index % 6 !== 5);
    expect(seen.flat()).to.deep.equal([
      ...mine.toReversed().map((index) => `Signed in: the computer “pc-${index}”.`),
      'You signed in with GitHub as pia.',
    ]);
    expect(sentences((await other.get(PAGE)).text)).to.have.length(21);
    expect((await browser.get(`${PAGE}?before=1`)).text).to.contain('Nothing before that.');
  });

  it('takes no query but the right one', async () => {
    const { browser } = await signIn('quinn');
    const wrong = ['before=', 'before=0', 'before=-1', 'before=x', 'before=1e3', `before=${'9'.repeat(19)}`];
    for (const query of [...wrong, 'before=5&before=6', 'after=5', 'user_id=1', 'before=%00'])
      expect((await browser.get(`${PAGE}?${query}`)).status, query).to.equal(400);
    expect((await browser.get(`${FILE}?before=5`)).status).to.equal(400);
    expect((await browser.get(`${PAGE}?before=${'9'.repeat(18)}`)).status).to.equal(200);
  });

  it('is downloaded as lines whose hashes can be checked, and hides an address of support', async () => {
    const { browser, userId } = await signIn('iris');
    const { userId: otherId } = await signIn('jan');
    await write({ actor: 'device', user_id: userId, action: 'device.signed_in', detail: { z: 1, a: 'x' }, ip: '::1' });
    await write({ actor: 'system', user_id: otherId, action: 'box.deleted' });
    await write({ actor: 'operator', user_id: userId, action: 'box.move_requested', ip: '198.51.100.9' });
    const { status, text, headers } = await browser.get(FILE);
    expect([status, headers.get('content-type'), headers.get('cache-control')]).to.deep.equal([
      200,
      'application/jsonl',
      'no-store',
    ]);
    expect(headers.get('content-disposition')).to.match(
      /^attachment; filename="spoq-activity-\d{4}-\d\d-\d\d\.jsonl"$/,
    );
    const rows = lines(text);
    expect(rows.map(({ action, user_id }) => [action, user_id])).to.deep.equal([
      ['user.signed_in', userId],
      ['device.signed_in', userId],
      ['box.move_requested', userId],
    ]);
    expect(text).not.to.contain('198.51.100.9');
    for (const { previous_hash, at, actor, user_id, action, detail, ip, hash } of rows.slice(0, 2)) {
      const sorted = Object.entries(detail as object).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const fields = JSON.stringify([previous_hash, at, actor, user_id, action, sorted, ip]);
      expect(createHash('sha256').update(fields).digest('hex')).to.equal(hash);
    }
  });

  it('is whole however long it is', async () => {
    const { browser, userId } = await signIn('lena');
    await database.db.raw(
      `INSERT INTO audit_log (at, actor, user_id, action, previous_hash, hash)
       SELECT now(), 'system', ?, 'box.upgraded', '', n::text FROM generate_series(1, 1200) AS n`,
      [userId],
    );
    const hashes = lines((await browser.get(FILE)).text).slice(1);
    expect(hashes.map(({ hash }) => Number(hash))).to.deep.equal(Array.from({ length: 1200 }, (_, index) => index + 1));
  });

  it('is shown to nobody who is not signed in, and downloaded ten times an hour', async () => {
    const { browser } = await signIn('mia');
    for (let time = 0; time < 10; time += 1) expect((await browser.get(FILE)).status).to.equal(200);
    expect((await browser.get(FILE)).status).to.equal(429);
    await browser.post('/auth/sign-out', {});
    expect((await browser.get(PAGE)).location).to.equal(`/auth/github?return_to=${encodeURIComponent(PAGE)}`);
    expect((await browser.get(FILE)).status).to.equal(401);
  });
});
