import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

const PAGE = '/account/devices';
const NOTICE = 'This browser was signed out on the page of your devices.';

describe('where a person is signed in', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let people = 7000;
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

  /** A person with so many browsers. */
  async function signIn(count: number): Promise<{ userId: string; browsers: Browser[] }> {
    people += 1;
    github.script.person = { ...github.script.person, id: people, login: `person-${people}` };
    const browsers: Browser[] = [];
    for (let index = 0; index < count; index += 1) browsers.push(await plane.signIn());
    const user = await database.db('users').where('github_id', String(people)).first('id');
    return { userId: String(user.id), browsers };
  }

  /** A device that is signed in and has renewed its tokens once. */
  async function addDevice(userId: string, label: string): Promise<string> {
    const family = randomUUID();
    const token = {
      user_id: userId,
      family_id: family,
      device_label: label,
      expires_at: new Date(Date.now() + 9e8),
      signed_in_at: new Date('2026-10-01T08:00:00Z'),
    };
    const used = { used_at: new Date(), last_used_at: new Date('2026-11-01T09:30:40Z') };
    await database.db('refresh_tokens').insert([
      { ...token, ...used, token_hash: randomUUID(), ip: '192.0.2.1', created_at: new Date('2026-10-01T08:00:00Z') },
      {
        ...token,
        token_hash: randomUUID(),
        ip: '192.0.2.2',
        used_at: null,
        last_used_at: null,
        created_at: new Date('2026-11-01T09:30:30Z'),
      },
    ]);
    return family;
  }
  const sessions = (userId: string) => database.db('sessions').where('user_id', userId).orderBy('created_at');
  const living = (family: string) => database.db('refresh_tokens').where('family_id', family).whereNull('revoked_at');
  const actions = async (userId: string) =>
    (await database.db('audit_log').where('user_id', userId).orderBy('id'))
      .filter(({ action }) => action !== 'user.signed_in')
      .map(({ action, actor, detail }) => ({ action, actor, detail }));
  const isIn = async (browser: Browser) => (await browser.get(PAGE)).status === 200;

  it('are written to when a browser comes that they have not used before', async () => {
    const { userId, browsers } = await signIn(1);
    const mails = () => database.db('mails').where({ user_id: userId, kind: 'new_browser' });
    expect(await mails(), 'of the first, who is there to tell').to.deep.equal([]);
    const signInAgain = async (browser?: Browser): Promise<void> => {
      const begun = await browser?.get('/auth/github');
      await browser?.get(github.decide(begun?.location ?? ''));
    };
    await browsers[0]?.post('/auth/sign-out', {});
    await signInAgain(browsers[0]);
    expect(await mails(), 'it is known').to.deep.equal([]);
    await signInAgain(new Browser(plane.url));
    const [told, ...more] = await mails();
    expect([told?.subject, more]).to.deep.equal(['A new browser is signed in to your Spoq account', []]);
    expect(told?.text.replaceAll(/\s+/g, ' ')).to.match(
      /A browser we do not know at 127\.0\.0\.1 was signed in with your GitHub account on/,
    );
  });

  it('lists browsers and devices without a box, and nothing that opens anything', async () => {
    const { userId, browsers } = await signIn(2);
    const family = await addDevice(userId, "alice's <laptop>");
    const { text } = (await browsers[0]?.get(PAGE)) ?? { text: '' };
    for (const part of [
      'alice&#39;s &lt;laptop&gt;',
      '192.0.2.2',
      '2026-10-01 08:00 UTC',
      '2026-11-01 09:30 UTC',
      family,
    ])
      expect(text).to.contain(part);
    expect(text.match(/\(this browser\)/g)).to.have.length(1);
    for (const { id, id_hash: hash } of await sessions(userId)) expect(text).to.contain(id).and.not.contain(hash);
  });

  it('signs one browser out, which is told so until it signs in again', async () => {
    const { userId, browsers } = await signIn(2);
    const [here, there] = browsers as [Browser, Browser];
    const [, other] = await sessions(userId);
    expect((await here.post(PAGE, { what: 'session', id: other.id })).location).to.equal(PAGE);
    expect(await isIn(here)).to.equal(true);
    const refused = await there.post(PAGE, { what: 'others' });
    expect([refused.status, refused.text.includes(NOTICE)]).to.deep.equal([401, true]);
    expect((await there.get('/')).text)
      .to.contain(NOTICE)
      .and.not.contain('class="who"');
    expect(await actions(userId)).to.deep.equal([
      {
        action: 'session.revoked',
        actor: `user:${userId}`,
        detail: { session_id: other.id, browser: 'A browser we do not know' },
      },
    ]);
    const begun = await there.get('/auth/github');
    await there.get(github.decide(begun.location ?? ''));
    expect((await there.get(PAGE)).text).not.to.contain(NOTICE);
  });

  it('signs one device out, once', async () => {
    const { userId, browsers } = await signIn(1);
    const [family, kept] = [await addDevice(userId, 'laptop'), await addDevice(userId, 'desk')];
    const form = { what: 'device', id: family };
    expect((await browsers[0]?.post(PAGE, form))?.status).to.equal(303);
    expect([(await living(family)).length, (await living(kept)).length]).to.deep.equal([0, 2]);
    expect((await browsers[0]?.post(PAGE, form))?.status).to.equal(404);
    const detail = { family_id: family, device: 'laptop' };
    expect(await actions(userId)).to.deep.equal([{ action: 'device.revoked', actor: `user:${userId}`, detail }]);
  });

  it('leaves what is another person’s, and what another site asks for', async () => {
    const { userId, browsers: theirs } = await signIn(1);
    const family = await addDevice(userId, 'laptop');
    const [session] = await sessions(userId);
    const { browsers } = await signIn(1);
    const mine = browsers[0] as Browser;
    expect((await mine.post(PAGE, { what: 'session', id: session.id })).status).to.equal(404);
    expect((await mine.post(PAGE, { what: 'device', id: family })).status).to.equal(404);
    await mine.post(PAGE, { what: 'all' });
    const crossed = await theirs[0]?.post(PAGE, { what: 'all' }, { 'sec-fetch-site': 'same-site' });
    expect(crossed?.status).to.equal(403);
    expect([await isIn(theirs[0] as Browser), (await living(family)).length]).to.deep.equal([true, 2]);
    expect(await actions(userId)).to.deep.equal([]);
  });

  it('signs out everywhere else, and everywhere', async () => {
    const { userId, browsers } = await signIn(3);
    const family = await addDevice(userId, 'laptop');
    const here = browsers[2] as Browser;
    expect((await here.post(PAGE, { what: 'others' })).location).to.equal(PAGE);
    expect(await Promise.all(browsers.map(isIn))).to.deep.equal([false, false, true]);
    expect(await living(family)).to.deep.equal([]);
    expect((await here.post(PAGE, { what: 'all' })).location).to.equal('/');
    expect(await isIn(here)).to.equal(false);
    expect((await here.get('/')).text).to.contain(NOTICE);
  });
});
