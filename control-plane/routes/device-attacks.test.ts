import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import type { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { WORDS } from '../word-code.ts';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

describe('attacks on device codes', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let device: Device;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github, { TRUSTED_PROXIES: '127.0.0.1' });
    await database.db.raw('TRUNCATE users, user_vps, sessions, device_grants, rate_limits, signing_keys CASCADE');
    device = new Device(plane.url);
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  async function createPerson(id: number): Promise<{ browser: Browser; username: string }> {
    const username = `person-${id}`;
    github.script.person = { ...github.script.person, id, login: username };
    const browser = await plane.signIn();
    const user = await database.db('users').where('username', username).first('id');
    await plane.createBox(user.id);
    return { browser, username };
  }
  const from = (address: number) => ({
    'x-forwarded-for': `198.51.${Math.floor(address / 250)}.${(address % 250) + 1}`,
  });
  const guess = (number: number) => [WORDS[number], WORDS[number + 1000], WORDS[number + 2000]].join('-');
  /** How often each status was answered. */
  async function count(statuses: Promise<number>[]): Promise<Record<number, number>> {
    const counts: Record<number, number> = {};
    for (const status of await Promise.all(statuses)) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }
  const exchange = (deviceCode: string) =>
    device.post<{ error?: string; username?: string }>('/auth/token', {
      grant_type: DEVICE_GRANT,
      device_code: deviceCode,
      client_id: 'spoq-cli',
    });

  it('a thousand guesses of one person from a thousand addresses: ten are looked at', async function () {
    this.timeout(60_000);
    const { browser } = await createPerson(1);
    await device.begin();
    const statuses: Record<number, number> = {};
    for (let round = 0; round < 1000; round += 50) {
      const guesses = Array.from({ length: 50 }, async (_, index) => {
        const number = round + index;
        const code = guess(number);
        const answer =
          number % 2 === 0
            ? await browser.get(`/auth/verify?code=${code}`, from(number))
            : await browser.post('/auth/authorize', { code, decision: 'approve' }, from(number));
        return answer.status;
      });
      for (const [status, times] of Object.entries(await count(guesses)))
        statuses[Number(status)] = (statuses[Number(status)] ?? 0) + times;
    }
    expect(statuses).to.deep.equal({ 404: 10, 429: 990 });
    expect(await database.db('device_grants').pluck('status')).to.deep.equal(['pending']);
  });

  it('guesses of many persons from one address: thirty are looked at', async () => {
    const people = [await createPerson(1)];
    for (const id of [2, 3, 4, 5]) people.push(await createPerson(id));
    const guesses = people.flatMap(({ browser }, person) =>
      Array.from({ length: 9 }, async (_, index) => {
        const answer = await browser.get(`/auth/verify?code=${guess(person * 9 + index)}`, from(1));
        return answer.status;
      }),
    );
    expect(await count(guesses)).to.deep.equal({ 404: 30, 429: 15 });
  });

  it('a device code that is guessed, or somebody’s code with a letter more: refused', async () => {
    const { device_code: code } = await device.begin();
    for (const guessed of ['x'.repeat(43), `${code}x`, code.slice(1), code.toLowerCase()])
      expect((await exchange(guessed)).body.error).to.equal('invalid_grant');
    expect((await exchange(code)).body.error).to.equal('authorization_pending');
  });

  it('polls that come early, at either endpoint: five seconds more for good', async () => {
    const { browser } = await createPerson(1);
    const begun = await device.begin();
    const polls = [() => exchange(begun.device_code), () => device.poll(begun.device_code)];
    const poll = async (turn: number, after: number) => {
      plane.advance(after);
      return (await polls[turn % 2]?.())?.body.error;
    };
    expect(await poll(0, 0)).to.equal('authorization_pending');
    expect(await poll(1, 1)).to.equal('slow_down');
    expect(await poll(0, 6)).to.equal('slow_down');
    expect(await poll(1, 11)).to.equal('slow_down');
    expect(await poll(0, 20)).to.equal('authorization_pending');
    expect(await poll(1, 17), 'what was added stays').to.equal('slow_down');
    await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    expect(await poll(0, 25)).to.equal(undefined);
  });

  it('a code that was used, at either endpoint and on two replicas at once: one pair of tokens', async () => {
    const { browser } = await createPerson(1);
    const key = plane.deps.config.ENCRYPTION_KEY.reveal();
    const replica = await createTestControlPlane(database, github, { ENCRYPTION_KEY: key });
    try {
      const begun = await device.begin();
      await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
      const others = new Device(replica.url);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          index % 2 === 0 ? exchange(begun.device_code) : others.poll(begun.device_code),
        ),
      );
      const outcomes = answers.map(({ body }) => body.error ?? 'tokens').toSorted();
      expect(outcomes).to.deep.equal([...Array.from({ length: 9 }, () => 'invalid_grant'), 'tokens']);
      expect(await database.db('refresh_tokens').count()).to.deep.equal([{ count: '1' }]);
    } finally {
      await replica.close();
    }
  });

  it('a code that two persons approve: it belongs to the first', async () => {
    const [first, second] = [await createPerson(1), await createPerson(2)];
    const begun = await device.begin();
    const decide = ({ browser }: { browser: Browser }) =>
      browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    expect([(await decide(first)).status, (await decide(second)).status, (await decide(first)).status]).to.deep.equal([
      200, 404, 404,
    ]);
    expect((await exchange(begun.device_code)).body.username).to.equal(first.username);
  });

  it('a code that has expired: nobody can approve it, and its device is told', async () => {
    const { browser } = await createPerson(1);
    const begun = await device.begin();
    plane.advance(601);
    expect((await browser.get(`/auth/verify?code=${begun.user_code}`)).status).to.equal(404);
    const late = await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    expect(late.status).to.equal(404);
    expect((await exchange(begun.device_code)).body.error).to.equal('expired_token');
  });

  const TEXTS = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    '{{7*7}}<%= 1 %>',
    '\u0000',
    `${'A'.repeat(5000)}`,
    'javascript:alert(1)',
  ];
  for (const text of TEXTS)
    it(`?code=${text.slice(0, 40)}: shown as text, if at all`, async () => {
      const { browser } = await createPerson(1);
      const page = await browser.get(`/auth/verify?code=${encodeURIComponent(text)}`);
      expect(page.status).to.equal(404);
      const posted = await browser.post('/auth/authorize', { code: text, decision: 'approve' });
      expect(posted.status).to.be.oneOf([400, 404]);
      for (const { text: html } of [page, posted]) {
        if (/[<>"'&]/.test(text)) expect(html).to.not.include(text);
        expect(html).to.not.match(/<script>|<img src=x/i);
        expect(html.length).to.be.below(20_000);
      }
    });
});
