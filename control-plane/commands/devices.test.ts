import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { waitFor } from '../../test/harness/wait.ts';
import type { TokenResponse } from '../../contract/auth.ts';
import { findBoxOfUser } from '../db/user-vps.ts';
import { findUser } from '../db/users.ts';
import type { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { listDevices, revokeAllDevices, revokeDevice } from './devices.ts';
import { signInDevice } from './issue-tokens.ts';

const IP = '203.0.113.7';

describe('devices of a person', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let device: Device;
  let alice: { id: string; browser: Browser };
  let bob: { id: string; browser: Browser };

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github);
    await database.db.raw('TRUNCATE users, user_vps, sessions, device_grants, rate_limits, signing_keys CASCADE');
    device = new Device(plane.url);
    bob = await createPerson(2, 'bob');
    alice = await createPerson(1, 'alice');
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  async function createPerson(id: number, login: string) {
    github.script.person = { ...github.script.person, id, login };
    const browser = await plane.signIn();
    const user = await database.db('users').where('username', login).first('id');
    await plane.createBox(user.id);
    return { id: String(user.id), browser };
  }
  const familyOf = (tokens: TokenResponse) => String(decodeJwt(tokens.access_token)['sid']);
  const refresh = async (token: string) => {
    const { status, body } = await device.refresh(token);
    return status === 200 ? body : body.error;
  };
  const lastAudit = async () => {
    const row = await database.db('audit_log').orderBy('id', 'desc').first();
    return { action: row.action, actor: row.actor, user_id: row.user_id, detail: row.detail, ip: row.ip };
  };

  it('are noted when they sign in, under the id that their access tokens carry', async () => {
    const tokens = await device.signIn(alice.browser, 'alice-laptop');
    expect(await lastAudit()).to.deep.equal({
      action: 'device.signed_in',
      actor: 'device',
      user_id: alice.id,
      detail: { family_id: familyOf(tokens), device: 'alice-laptop' },
      ip: '127.0.0.1',
    });
    const renewed = (await device.refresh(tokens.refresh_token)).body;
    expect(familyOf(renewed)).to.equal(familyOf(tokens));
    expect(
      await database.db('audit_log').where('user_id', alice.id).where('action', 'device.signed_in').count(),
    ).to.deep.equal([{ count: '1' }]);
  });

  it('are listed with what they call themselves, since when and until when they were used, and nobody else’s', async () => {
    await device.signIn(bob.browser, 'bob-laptop');
    const began = plane.deps.now().getTime();
    const laptop = await device.signIn(alice.browser, 'alice-laptop');
    const phone = await device.signIn(alice.browser, 'phone');
    plane.advance(20 * 86_400);
    const { refresh_token: second } = (await device.refresh(laptop.refresh_token)).body;
    plane.advance(20 * 86_400);
    await device.refresh(second);
    const [first, ...others] = await listDevices(plane.deps, alice.id);
    expect({ ...first, signed_in_at: 0, last_used_at: 0 }).to.deep.equal({
      family_id: familyOf(laptop),
      kind: 'cli',
      label: 'alice-laptop',
      ip: '127.0.0.1',
      signed_in_at: 0,
      last_used_at: 0,
    });
    expect(Math.abs((first?.signed_in_at.getTime() ?? 0) - began)).to.be.below(10_000);
    expect(Math.abs((first?.last_used_at.getTime() ?? 0) - plane.deps.now().getTime())).to.be.below(10_000);
    expect(others, `${familyOf(phone)} was not used for thirty days`).to.deep.equal([]);
  });

  it('are signed out one at a time, by their owner alone', async () => {
    const laptop = await device.signIn(alice.browser, 'alice-laptop');
    const phone = await device.signIn(alice.browser, 'phone');
    for (const familyId of [randomUUID(), 'nonsense', '', "' OR 1=1"])
      expect(await revokeDevice(plane.deps, alice, familyId, IP)).to.equal(false);
    expect(await revokeDevice(plane.deps, bob, familyOf(laptop), IP)).to.equal(false);
    expect(await listDevices(plane.deps, alice.id)).to.have.length(2);

    expect(await revokeDevice(plane.deps, alice, familyOf(laptop), IP)).to.equal(true);
    const audit = {
      action: 'device.revoked',
      actor: `user:${alice.id}`,
      user_id: alice.id,
      detail: { family_id: familyOf(laptop), device: 'alice-laptop' },
      ip: IP,
    };
    expect(await lastAudit()).to.deep.equal(audit);
    expect((await listDevices(plane.deps, alice.id)).map(({ label }) => label)).to.deep.equal(['phone']);
    expect(await refresh(laptop.refresh_token)).to.equal('invalid_grant');
    expect(await refresh(phone.refresh_token)).to.have.property('refresh_token');
    expect(await revokeDevice(plane.deps, alice, familyOf(laptop), IP), 'twice').to.equal(false);
    expect(await lastAudit()).to.deep.equal(audit);
  });

  it('are signed out together, those that wait for their tokens too, and nobody else’s', async () => {
    const all = [await device.signIn(alice.browser), await device.signIn(alice.browser)];
    const bobs = await device.signIn(bob.browser);
    const waiting = await device.begin();
    await alice.browser.post('/auth/authorize', { code: waiting.user_code, decision: 'approve' });
    expect(await revokeAllDevices(plane.deps, alice, IP)).to.equal(2);
    expect(await lastAudit()).to.deep.equal({
      action: 'device.all_revoked',
      actor: `user:${alice.id}`,
      user_id: alice.id,
      detail: { devices: 2 },
      ip: IP,
    });
    expect(await listDevices(plane.deps, alice.id)).to.deep.equal([]);
    for (const tokens of all) expect(await refresh(tokens.refresh_token)).to.equal('invalid_grant');
    expect((await device.poll(waiting.device_code)).body.error).to.equal('access_denied');
    expect(await refresh(bobs.refresh_token)).to.have.property('refresh_token');
    expect(await revokeAllDevices(plane.deps, alice, IP)).to.equal(0);
  });

  it('leave none behind that renews its tokens, or signs in, at the same moment', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => device.signIn(alice.browser)));
    const fresh = await device.begin();
    await alice.browser.post('/auth/authorize', { code: fresh.user_code, decision: 'approve' });
    const [poll] = await Promise.all([
      device.poll(fresh.device_code),
      revokeAllDevices(plane.deps, alice, IP),
      revokeAllDevices(plane.deps, alice, IP),
      ...all.map((tokens) => device.refresh(tokens.refresh_token)),
    ]);
    const outcome = poll.body.error ?? (await refresh(poll.body.refresh_token));
    expect(outcome).to.be.oneOf(['access_denied', 'invalid_grant']);
    expect(await listDevices(plane.deps, alice.id)).to.deep.equal([]);
  });

  it('leave none behind whose sign-in had begun and not ended', async () => {
    const { db } = database;
    const user = await findUser(db, alice.id);
    const box = await findBoxOfUser(db, alice.id);
    if (user === undefined || box === undefined) throw new Error('alice has no box');
    const signIn = await db.transaction();
    try {
      const fresh = { familyId: randomUUID(), label: 'late', ip: IP };
      await signInDevice({ ...plane.deps, db: signIn }, user, box, fresh);
      const revoked = revokeAllDevices(plane.deps, alice, IP);
      await waitFor('it to wait for the sign-in', async () => {
        const waiting = db('pg_stat_activity').where('wait_event_type', 'Lock');
        return (await waiting.whereRaw('datname = current_database()')).length > 0;
      });
      await signIn.commit();
      expect(await revoked).to.equal(1);
      expect(await listDevices(plane.deps, alice.id)).to.deep.equal([]);
    } finally {
      if (!signIn.isCompleted()) await signIn.rollback();
    }
  });
});
