import { expect } from 'chai';
import { createPeople, type Person } from '../../sandbox/github/people.ts';
import { createGithubVendor } from '../../sandbox/github/vendor.ts';
import { runVendor, type RunningVendor } from '../../sandbox/run-vendor.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

describe("sign-in with the sandbox's GitHub", () => {
  let database: TestDatabase;
  let vendor: RunningVendor;
  let unused: GithubServer;
  let plane: TestControlPlane;

  before(async () => {
    database = await createTestDatabase();
    vendor = await runVendor('github', createGithubVendor);
    unused = await createGithubServer();
    const { url } = vendor;
    const env = { ...vendor.vendor.credentials, GITHUB_URL: url, GITHUB_API_URL: url };
    plane = await createTestControlPlane(database, unused, env);
  });
  after(async () => {
    await plane.close();
    await unused.close();
    await vendor.close();
    await database.close();
  });

  /** Answers the form of GitHub's page and comes back with what it answered. */
  async function choose(form: Record<string, string>) {
    const browser = new Browser(plane.url);
    const begun = await browser.get('/auth/github');
    const chosen = await fetch(begun.location ?? '', {
      method: 'POST',
      redirect: 'manual',
      body: new URLSearchParams(form),
    });
    return browser.get(chosen.headers.get('location') ?? '');
  }

  const isVerified = (person: Person) => person.emails.some((one) => one.verified);
  for (const person of createPeople().filter(isVerified))
    it(`knows ${person.login}, who ${person.about}`, async () => {
      const answer = await choose({ login: person.login });
      expect({ status: answer.status, location: answer.location }).to.deep.equal({ status: 302, location: '/setup' });
      const user = await database.db('users').where('github_id', String(person.id)).first('username', 'email');
      const verified = person.emails.find((one) => one.primary && one.verified)?.email;
      expect(user).to.deep.equal({ username: person.login, email: person.public_email ?? verified ?? null });
    });

  it('tells somebody without a verified address what to do at GitHub', async () => {
    const answer = await choose({ login: 'mallory' });
    expect(answer.status).to.equal(400);
    expect(answer.text).to.include('Verify your address in the settings of GitHub');
    expect(await database.db('users').where('username', 'mallory')).to.deep.equal([]);
  });

  it('uses the access token for who it is and keeps it nowhere', async () => {
    await choose({ login: 'alice' });
    const dump = JSON.stringify([await database.db('users'), await database.db('sessions')]) + plane.logs.join('');
    expect(dump).to.not.include('gho_');
    expect(unused.requests).to.deep.equal([]);
  });

  it('gives up cleanly when GitHub hangs up', async () => {
    const fault = vendor.faults.add({ vendor: 'github', path: '^/user$', cut: 'before' });
    expect((await choose({ login: 'bob' })).status).to.equal(502);
    vendor.faults.remove(fault.id);
    expect((await choose({ login: 'bob' })).status).to.equal(302);
  });
});
