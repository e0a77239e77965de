import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { createKeyCache, type KeyCache } from '../../conductor/key-cache.ts';
import { fetchDirect } from '../../conductor/reach.ts';
import { createReachability } from '../../conductor/reachability.ts';
import { createRevocations, findRevocationsUrl, type Revocations } from '../../conductor/revocations.ts';
import { createTokenVerifier, type VerifyToken } from '../../conductor/token-verifier.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { issueAccessToken } from './issue-access-token.ts';
import {
  announceSigningKey,
  listPublicKeys,
  listSigningKeys,
  loadSigningKey,
  replaceSigningKeys,
} from './signing-keys.ts';

const DEVICE = '0b9f3f53-2c3e-4d6c-9a0e-6f1f2b7f7c11';

describe('rotating signing keys', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let user: { id: string };
  let box: { id: string; hostname: string; jwt_secret: string };
  let cache: KeyCache;
  let revocations: Revocations;
  let verify: VerifyToken;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github);
    await database.db.raw('TRUNCATE users, user_vps, sessions, signing_keys CASCADE');
    await plane.signIn();
    user = await database.db('users').first('id');
    box = await plane.createBox(user.id);
    const now = () => plane.deps.now().getTime();
    const jwksUrl = `${plane.url}/.well-known/jwks.json`;
    const shared = { fetch: fetchDirect, log: plane.deps.log, reachability: createReachability(now), now };
    cache = createKeyCache({ ...shared, jwksUrl, store: { load: async () => undefined, save: async () => undefined } });
    const identity = { issuer: plane.url, hostname: box.hostname, keys: { algorithm: 'RS256' as const, cache } };
    const url = findRevocationsUrl({ ...identity, jwksUrl, revocationsUrl: undefined });
    revocations = createRevocations({ ...shared, ...identity, url });
    verify = createTokenVerifier({ ...identity, ownerId: user.id, revocations, now });
  });
  afterEach(async () => {
    await Promise.all([cache.stop(), revocations.stop()]);
    await plane.close();
  });
  after(async () => {
    await github.close();
    await database.close();
  });

  const issue = async () => (await issueAccessToken(plane.deps, user, box, DEVICE)).token;
  const kidOf = (token: string) => String(decodeProtectedHeader(token).kid);
  const isTaken = (token: string) =>
    verify(token).then(
      () => true,
      () => false,
    );
  const states = async () => (await listSigningKeys(plane.deps)).map(({ kid, state }) => [kid, state]);
  const published = async () => (await listPublicKeys(plane.deps)).keys.map((key) => key.kid);
  const actions = () => database.db('audit_log').orderBy('id', 'desc').limit(1).pluck('action');

  it('refuses no token that is good, at a box that asks for the keys every ten minutes and not once more', async () => {
    const issued: string[] = [];
    const kids = new Set<string>();
    await loadSigningKey(plane.deps);
    plane.advance(3600);
    for (let minute = 0; minute < 45; minute += 1) {
      if (minute % 10 === 0) await cache.refresh();
      if (minute === 1) await announceSigningKey(plane.deps);
      issued.push(await issue());
      const time = plane.deps.now().getTime() / 1000;
      const good = issued.filter((token) => (decodeJwt(token).exp ?? 0) > time);
      for (const token of good) {
        expect(await isTaken(token), `minute ${minute}`).to.equal(true);
        kids.add(kidOf(token));
      }
      plane.advance(60);
    }
    expect(kids.size).to.equal(2);
    // A kid that the box lacked would have made it ask.
    expect(plane.logs.filter((line) => line.includes('/.well-known/jwks.json')).length).to.equal(5);
  });

  it('tells what each key is at', async () => {
    const { kid: first } = await loadSigningKey(plane.deps);
    expect(await states()).to.deep.equal([[first, 'signing']]);
    plane.advance(3600);
    const { kid: next, signs_at: signsAt } = await announceSigningKey(plane.deps);
    expect(await actions()).to.deep.equal(['signing_key.announced']);
    expect(Math.abs(signsAt.getTime() - plane.deps.now().getTime() - 900_000)).to.be.below(5000);
    expect(await announceSigningKey(plane.deps), 'twice').to.deep.equal({ kid: next, signs_at: signsAt });
    expect(await states()).to.deep.equal([
      [next, 'coming'],
      [first, 'signing'],
    ]);
    expect(kidOf(await issue())).to.equal(first);
    plane.advance(901);
    const due = [
      [next, 'signing'],
      [first, 'retired'],
    ];
    expect(await states(), 'before the first token of the new one').to.deep.equal(due);
    expect(kidOf(await issue())).to.equal(next);
    expect(await states()).to.deep.equal(due);
    expect(await published()).to.have.members([first, next]);
    plane.advance(899);
    expect(await published()).to.have.members([first, next]);
    plane.advance(2);
    expect(await published()).to.deep.equal([next]);
  });

  it('can follow at once on the first key, or on one that replaced others', async () => {
    const { kid: first } = await loadSigningKey(plane.deps);
    const { kid: next } = await announceSigningKey(plane.deps);
    expect(next).to.not.equal(first);
    expect(kidOf(await issue())).to.equal(first);
    plane.advance(901);
    expect(kidOf(await issue())).to.equal(next);
  });

  it('makes one key, however many operators ask at once', async () => {
    await loadSigningKey(plane.deps);
    const keys = await Promise.all(Array.from({ length: 5 }, () => announceSigningKey(plane.deps)));
    expect(new Set(keys.map(({ kid }) => kid)).size).to.equal(1);
  });

  it('takes a key that has leaked back, with its tokens: boxes refuse them after their next look at revocations', async () => {
    await Promise.all([cache.refresh(), revocations.refresh()]);
    const stolen = await issue();
    expect(await isTaken(stolen)).to.equal(true);
    const { kid } = await replaceSigningKeys(plane.deps);
    expect(await actions()).to.deep.equal(['signing_key.replaced']);
    expect(await published()).to.deep.equal([kid]);
    expect(await states()).to.deep.equal([
      [kid, 'signing'],
      [kidOf(stolen), 'withdrawn'],
    ]);
    const renewed = await issue();
    expect(kidOf(renewed)).to.equal(kid);
    plane.advance(31);
    await revocations.refresh();
    expect([await isTaken(stolen), await isTaken(renewed)]).to.deep.equal([false, true]);
  });

  it('has nothing to do where boxes have secrets of their own', async () => {
    const deps = { ...plane.deps, config: { ...plane.deps.config, JWT_ALGORITHM: 'HS256' as const } };
    for (const rotate of [announceSigningKey, replaceSigningKeys])
      expect(await rotate(deps).catch((error: { code?: string }) => error.code)).to.equal('conflict');
    expect(await database.db('signing_keys')).to.deep.equal([]);
  });
});
