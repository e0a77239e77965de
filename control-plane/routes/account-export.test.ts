import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { strFromU8, unzipSync } from 'fflate';
import { hashToken, randomToken } from '../cipher.ts';
import { EXPORTED_TABLES, NOT_EXPORTED } from '../db/exported-tables.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';

const PAGE = '/account/export';
type Row = Record<string, unknown>;

describe('what a person is given of their data', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  afterEach(() => world.stripe.faults.clear());
  after(() => world.close());
  const db = () => world.database.db;

  async function listColumns(): Promise<{ table: string; column: string; type: string }[]> {
    const { rows } = await db().raw(`
      SELECT table_name AS "table", column_name AS "column", data_type AS type FROM information_schema.columns
      WHERE table_schema = 'public' ORDER BY 1, ordinal_position`);
    return rows as { table: string; column: string; type: string }[];
  }

  const ask = (cookie: string) =>
    fetch(`${world.cp.url}${PAGE}`, {
      method: 'POST',
      headers: { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
    });

  async function download(cookie: string): Promise<Record<string, string>> {
    const answer = await ask(cookie);
    expect(answer.status).to.equal(200);
    const files = unzipSync(new Uint8Array(await answer.arrayBuffer()));
    return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, strFromU8(bytes)]));
  }
  const read = (files: Record<string, string>, file: string) => JSON.parse(files[file] ?? '') as Row[];

  interface Planted {
    name: string;
    userId: string;
    cookie: string;
    /** By `table.column`. */
    canaries: Map<string, string>;
  }

  /** A person with a row in every table that knows of people; every text of it that isn't one of a few is a canary. */
  async function plant(name: string): Promise<Planted> {
    const columns = await listColumns();
    const canaries = new Map<string, string>();
    const insert = async (table: string, base: Row): Promise<Row> => {
      const free = columns.filter((one) => one.table === table && !(one.column in base));
      const row: Row = { ...base };
      for (const { column, type } of free.filter((one) => one.type === 'text' || one.type === 'jsonb')) {
        const canary = `canary-of-${name}-${table}-${column}`;
        canaries.set(`${table}.${column}`, canary);
        row[column] = type === 'jsonb' ? JSON.stringify({ canary }) : canary;
      }
      const [made] = await db()(table).insert(row, '*');
      return made as Row;
    };
    const later = new Date(Date.now() + 3_600_000);
    const userId = String((await insert('users', {}))['id']);
    const cookie = randomToken();
    const idHash = hashToken(cookie);
    await insert('sessions', { user_id: userId, id_hash: idHash, expires_at: later });
    canaries.set('sessions.id_hash', idHash);
    const of = { user_id: userId };
    await insert('ssh_passwords', of);
    await insert('device_grants', { ...of, status: 'denied', expires_at: later });
    await insert('refresh_tokens', { ...of, family_id: randomUUID(), expires_at: later });
    await insert('authorization_codes', { ...of, expires_at: later });
    await insert('known_browsers', { ...of, created_at: later, last_used_at: later });
    const box = await insert('user_vps', {
      ...of,
      provider: 'contabo',
      status: 'ready',
      operation: 'restart',
      plan: 'basic',
    });
    const ofBox = { user_vps_id: box['id'] };
    await insert('vps_events', { ...ofBox, seq: 1, state: 'done' });
    await insert('boot_tokens', { ...ofBox, expires_at: later });
    await insert('machines', { ...ofBox, status: 'owned' });
    const [rollout] = await db()('rollouts').insert({ version: '1', max_failures: 1, state: 'done' }, 'id');
    await insert('rollout_boxes', { ...ofBox, rollout_id: rollout.id, wave: 1, position: 1, state: 'done' });
    await insert('subscriptions', { ...of, status: 'active', plan: 'basic', stripe_customer_id: null });
    const checkout = await insert('checkouts', { ...of, status: 'bound', plan: 'basic', stripe_customer_id: null });
    await insert('settlements', {
      ...of,
      checkout_id: checkout['id'],
      reason: 'deleted',
      refund: false,
      created_at: later,
    });
    await insert('mails', { ...of, created_at: later });
    await insert('audit_log', { ...of, at: later, actor: `user:${userId}` });
    return { name, userId, cookie: `spoq_session=${cookie}`, canaries };
  }

  it('is decided for every table and column of the schema', async () => {
    const columns = await listColumns();
    const exported = new Map(
      EXPORTED_TABLES.map(({ table, columns: plain, computed = {} }) => [table, [...plain, ...Object.keys(computed)]]),
    );
    const isDecided = ({ table, column }: { table: string; column: string }) =>
      exported.get(table)?.includes(column) || table in NOT_EXPORTED || `${table}.${column}` in NOT_EXPORTED;
    const undecided = columns.filter((one) => !isDecided(one)).map(({ table, column }) => `${table}.${column}`);
    expect(undecided, 'say in control-plane/db/exported-tables.ts what comes of these').to.deep.equal([]);

    const there = new Set(columns.flatMap(({ table, column }) => [table, `${table}.${column}`]));
    const stale = [
      ...Object.keys(NOT_EXPORTED),
      ...EXPORTED_TABLES.flatMap(({ table, columns: plain }) => plain.map((column) => `${table}.${column}`)),
    ].filter((name) => !there.has(name));
    expect(stale, 'take these out').to.deep.equal([]);
    const both = Object.keys(NOT_EXPORTED).filter((name) => {
      const [table = '', column] = name.split('.');
      return column === undefined ? exported.has(table) : exported.get(table)?.includes(column);
    });
    expect(both).to.deep.equal([]);
    const { rows } = await db().raw(`
      SELECT DISTINCT table_schema AS name FROM information_schema.tables
      WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`);
    // pg-boss's jobs name people by id, and are forgotten by themselves.
    expect((rows as { name: string }[]).map(({ name }) => name)).to.deep.equal(['pgboss', 'public']);
  });

  it('is all of theirs, nothing of anybody else, and nothing that lets somebody in', async () => {
    // In this order, since a row of the audit log names the hash of the one before it, whosever that is.
    const [bob, ada] = [await plant('bob'), await plant('ada')];
    const files = await download(ada.cookie);
    const all = Object.entries(files).flat().join('\n');
    expect(all).to.include(ada.userId).and.not.include(bob.userId).and.not.include('canary-of-bob');

    const secret = (name: string) => name in NOT_EXPORTED;
    const names = [...ada.canaries.keys()];
    const shown = names.filter((name) => all.includes(ada.canaries.get(name) ?? ''));
    expect(shown).to.have.members(names.filter((name) => !secret(name)));
    const planted = Object.keys(NOT_EXPORTED).filter((name) => name.includes('.') && name !== 'user_vps.fence');
    expect(names).to.include.members(planted);
    expect(all).not.to.include(ada.cookie.split('=')[1]);
    for (const { table, file } of EXPORTED_TABLES)
      expect(
        files[file]?.includes(table === 'users' ? ada.userId : 'canary-of-ada') ||
          table === 'ssh_passwords' ||
          table === 'known_browsers',
        file,
      ).to.equal(true);
    expect(read(files, 'ssh-password.json').map((row) => Object.keys(row))).to.deep.equal([['user_id', 'updated_at']]);
  });

  it('is one archive with a page that says what is what, and stands in the audit log', async () => {
    const { browser, userId } = await world.becomeReady('ada-lovelace');
    const page = await browser.get(PAGE);
    for (const part of ['activity.jsonl', 'invoices.json', 'Your files and conversations', 'Only Stripe has it'])
      expect(page.text).to.contain(part);
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await ask(cookie);
    const today = new Date().toISOString().slice(0, 10);
    expect(
      ['content-type', 'content-disposition', 'cache-control'].map((name) => answer.headers.get(name)),
    ).to.deep.equal(['application/zip', `attachment; filename="spoq-ada-lovelace-${today}.zip"`, 'no-store']);
    await answer.arrayBuffer();
    const files = await download(cookie);
    const expected = [...EXPORTED_TABLES.map(({ file }) => file), 'invoices.json', 'README.txt'];
    expect(Object.keys(files)).to.deep.equal(expected);
    for (const file of expected.filter((name) => name !== 'README.txt')) expect(files['README.txt']).to.contain(file);
    expect(files['README.txt']).to.contain('All that Spoq knows of ada-lovelace').and.not.contain('What is missing');

    const [account] = read(files, 'account.json');
    expect(account).to.include({ id: userId, username: 'ada-lovelace' });
    expect(read(files, 'browsers.json')[0]).to.include({ time_zone: 'Europe/Berlin' });
    expect(read(files, 'boxes.json')).to.deep.equal([]);
    expect(read(files, 'invoices.json').map(({ status, total, currency }) => [status, total, currency])).to.deep.equal([
      ['paid', 1200, 'usd'],
    ]);
    const actions = (files['activity.jsonl'] ?? '')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Row)['action']);
    expect(actions.filter((action) => action === 'account.exported')).to.have.length(2);
  });

  it('goes without invoices while Stripe is down, and says so', async () => {
    const { browser } = await world.becomeReady('grace');
    world.stripe.faults.add({ vendor: 'stripe', times: 0, status: 500 });
    const files = await download([...browser.cookies].map((pair) => pair.join('=')).join('; '));
    expect(files['invoices.json']).to.equal(undefined);
    expect(files['README.txt']).to.match(/What is missing\n\n {2}invoices\.json\n {6}Stripe did not answer/);
    expect(read(files, 'checkouts.json')).to.have.length(1);
  });

  it('is whole where there is much, in the order of time to the microsecond', async () => {
    const { userId, cookie } = await plant('max');
    await db().raw(
      `INSERT INTO mails (key, kind, user_id, subject, text, html, created_at)
       SELECT 'max:' || n, 'test', ?, n::text, '', '', '2026-01-01Z'::timestamptz + n * interval '1 microsecond'
       FROM generate_series(1, 1200) AS n`,
      [userId],
    );
    const subjects = read(await download(cookie), 'mails.json').map(({ subject }) => subject);
    expect(subjects.slice(0, -1)).to.deep.equal(Array.from({ length: 1200 }, (_, index) => String(index + 1)));
  });

  it('ends cut off, and not as if it were whole, when the database fails in the middle', async () => {
    const { cookie } = await plant('cut');
    await db().raw('ALTER TABLE mails RENAME TO away');
    try {
      const answer = await ask(cookie);
      const outcome = await answer.arrayBuffer().then(
        () => 'whole',
        () => 'cut off',
      );
      expect(outcome).to.equal('cut off');
    } finally {
      await db().raw('ALTER TABLE away RENAME TO mails');
    }
  });

  it('is asked for on our own page, ten times an hour, by who is signed in', async () => {
    const { browser, userId } = await world.becomeReady('limit');
    expect((await browser.post(PAGE, {}, { 'sec-fetch-site': 'same-site' })).status).to.equal(403);
    expect((await browser.post(PAGE, { what: 'all' })).status).to.equal(400);
    for (let time = 1; time < 10; time += 1) expect((await browser.post(PAGE, {})).status).to.equal(200);
    expect((await browser.post(PAGE, {})).status).to.equal(429);
    const noted = await db()('audit_log').where({ user_id: userId, action: 'account.exported' });
    expect(noted.map(({ actor, detail }) => [actor, detail])).to.deep.equal(
      Array.from({ length: 9 }, () => [`user:${userId}`, {}]),
    );
    await browser.post('/auth/sign-out', {});
    expect((await browser.post(PAGE, {})).status).to.equal(401);
    expect((await browser.get(PAGE)).location).to.equal(`/auth/github?return_to=${encodeURIComponent(PAGE)}`);
  });
});
