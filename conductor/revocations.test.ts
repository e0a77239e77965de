import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { AccessTokenClaims } from '../contract/auth.ts';
import { createKeyCache } from './key-cache.ts';
import type { KeyCache } from './key-cache.ts';
import { createRevocations, findRevocationsUrl, REFUSED_AFTER_MS } from './revocations.ts';
import type { Revocations } from './revocations.ts';
import { fetchDirect } from './reach.ts';
import { createReachability } from './reachability.ts';
import type { Reachability } from './reachability.ts';
import { send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { createTestLog, startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';
import { createClaims, createSigningKey, DEVICE_ID, HOSTNAME, ISSUER, signToken } from './testing/tokens.ts';
import type { TokenChanges } from './testing/tokens.ts';
import { waitUntil } from './testing/wait-until.ts';

describe('revocations', () => {
  let plane: TestControlPlane;
  let logs: Record<string, unknown>[];
  let reachability: Reachability;
  let cache: KeyCache;
  let made: Revocations[];

  beforeEach(async () => {
    plane = await startControlPlane();
    logs = [];
    made = [];
    reachability = createReachability(Date.now);
    const store = { load: async () => undefined, save: async () => undefined };
    const deps = { jwksUrl: plane.jwksUrl, store, fetch: fetchDirect, log: createTestLog(logs), reachability };
    cache = createKeyCache({ ...deps, now: Date.now });
  });
  afterEach(async () => {
    await Promise.all([...made.map((one) => one.stop()), cache.stop()]);
    await plane.close();
  });

  function create(intervals = { refreshMs: 60_000, retryMs: 60_000 }): Revocations {
    const revocations = createRevocations({
      url: new URL(`revocations/${HOSTNAME}.jwt`, plane.jwksUrl).href,
      issuer: ISSUER,
      hostname: HOSTNAME,
      keys: { algorithm: 'RS256', cache },
      fetch: fetchDirect,
      log: createTestLog(logs),
      reachability,
      now: Date.now,
      intervals,
    });
    made.push(revocations);
    return revocations;
  }
  const token = (changes: TokenChanges = {}) => AccessTokenClaims.parse(createClaims(changes));
  const said = () => logs.map(({ msg }) => msg);

  it('name devices, all of whose tokens are refused, and no others', async () => {
    plane.revocations = { revoked: [randomUUID(), DEVICE_ID] };
    const revocations = create();
    await revocations.refresh();
    expect(await revocations.includes(token())).to.equal(true);
    expect(await revocations.includes(token({ claims: { sid: randomUUID() } }))).to.equal(false);
  });

  it('can refuse every token from before a moment', async () => {
    const now = Math.floor(Date.now() / 1000);
    plane.revocations = { revoked: [], not_before: now };
    const revocations = create();
    await revocations.refresh();
    const answers = [-1, 0, 1].map((seconds) => revocations.includes(token({ claims: { iat: now + seconds } })));
    expect(await Promise.all(answers)).to.deep.equal([true, false, false]);
  });

  it('are awaited right after the start, so that a restart lets nobody back in', async () => {
    plane.revocations = { revoked: [DEVICE_ID] };
    const revocations = create();
    revocations.start();
    expect(await revocations.includes(token())).to.equal(true);
  });

  it('are read again and again, and sooner after a failure', async () => {
    const revocations = create({ refreshMs: 40, retryMs: 10 });
    revocations.start();
    expect(await revocations.includes(token())).to.equal(false);
    plane.revocations = { revoked: [DEVICE_ID] };
    await waitUntil('it is refused', () => revocations.includes(token()));
    plane.failure = { status: 503, body: '' };
    await waitUntil('it fails thrice', () => plane.listFetches > 5 && logs.length > 0);
    expect(await revocations.includes(token())).to.equal(true);
    plane.failure = undefined;
    plane.revocations = { revoked: [] };
    await waitUntil('it is let in', async () => !(await revocations.includes(token())));
    expect(said()).to.deep.equal(['revocations could not be read', 'revocations are read again']);
    expect(reachability.list()).to.deep.equal([]);
  });

  it('reach a box within a minute', () => expect(REFUSED_AFTER_MS).to.be.below(60_000));

  describe('that are not right leave the last list in force, and are told', () => {
    const future = Math.floor(Date.now() / 1000) + 3600;
    const CHANGES: Record<string, TokenChanges> = {
      'an access token': { header: { typ: 'at+jwt' } },
      'no typ': { header: { typ: undefined } },
      'another box': { claims: { aud: 'bob.spoq.test' } },
      'another issuer': { claims: { iss: 'https://evil.test' } },
      expired: { shift: -200 },
      'no end': { claims: { exp: undefined } },
      'no beginning': { claims: { iat: undefined, exp: future } },
      'no list': { claims: { revoked: undefined } },
      'a list of something else': { claims: { revoked: ['not a device'] } },
      'an unknown kid': { header: { kid: 'never-published' } },
      'a path as kid': { header: { kid: '../../etc/passwd' } },
      'HS256 with a public value': { header: { alg: 'HS256' }, key: new TextEncoder().encode('x'.repeat(40)) },
    };
    for (const [name, changes] of Object.entries(CHANGES))
      it(name, async () => {
        plane.revocations = { revoked: [DEVICE_ID] };
        const revocations = create();
        await revocations.refresh();
        plane.revocations = { revoked: [] };
        plane.listChanges = changes;
        await revocations.refresh();
        expect(await revocations.includes(token())).to.equal(true);
        expect(said()).to.deep.equal(['revocations could not be read']);
        expect(reachability.list().map(({ service }) => service)).to.deep.equal(['control_plane']);
      });

    it('signed with another key', async () => {
      plane.listChanges = { key: (await createSigningKey('first')).privateKey };
      await create().refresh();
      expect(said()).to.deep.equal(['revocations could not be read']);
    });

    for (const [name, failure] of Object.entries({
      'a page': { status: 200, body: '<html>' },
      'a megabyte': { status: 200, body: 'x'.repeat(1_000_000) },
      'another place': { status: 302, body: '', location: '/elsewhere' },
      nothing: { status: 404, body: '' },
    }))
      it(name, async () => {
        plane.failure = failure;
        await create().refresh();
        expect(said()).to.deep.equal(['revocations could not be read']);
      });
  });

  it('are found beside the keys, on the issuer, or where the configuration says', () => {
    const at = { revocationsUrl: undefined, jwksUrl: undefined, issuer: 'https://spoq.test', hostname: HOSTNAME };
    expect([
      findRevocationsUrl({ ...at, jwksUrl: 'https://inside.spoq.test/.well-known/jwks.json' }),
      findRevocationsUrl(at),
      findRevocationsUrl({ ...at, revocationsUrl: 'https://elsewhere.test/list' }),
    ]).to.deep.equal([
      `https://inside.spoq.test/.well-known/revocations/${HOSTNAME}.jwt`,
      `https://spoq.test/.well-known/revocations/${HOSTNAME}.jwt`,
      'https://elsewhere.test/list',
    ]);
  });

  describe('and a conductor', () => {
    let conductor: TestConductor;
    beforeEach(async () => {
      conductor = await startConductor({ plane, intervals: { refreshMs: 20, retryMs: 20 } });
    });
    afterEach(() => conductor.close());

    async function ask(): Promise<unknown> {
      const authorization = `Bearer ${await signToken(plane.key)}`;
      const { status, json } = await send(conductor.remote, { path: '/api/status', headers: { authorization } });
      return status === 200 ? status : json;
    }

    it('refuse the device in words that tell why', async () => {
      expect(await ask()).to.equal(200);
      plane.revocations = { revoked: [DEVICE_ID] };
      await waitUntil('it is refused', async () => (await ask()) !== 200);
      expect(await ask()).to.deep.include({
        status: 403,
        code: 'token_invalid',
        detail: 'The device of the token was signed out.',
      });
    });

    it('serve on with what they know while the control plane is away', async () => {
      expect(await ask()).to.equal(200);
      plane.failure = { status: 503, body: '' };
      const before = plane.listFetches;
      await waitUntil('it has looked in vain', () => plane.listFetches > before + 2);
      expect(await ask()).to.equal(200);
    });
  });
});
