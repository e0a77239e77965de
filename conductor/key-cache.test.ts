import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createKeyCache } from './key-cache.ts';
import type { KeyCache } from './key-cache.ts';
import { createKeyStore } from './key-file.ts';
import { fetchDirect } from './reach.ts';
import { createReachability } from './reachability.ts';
import type { Reachability } from './reachability.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { createTestLog } from './testing/start-conductor.ts';
import { createSigningKey } from './testing/tokens.ts';
import { waitUntil } from './testing/wait-until.ts';

describe('key cache', () => {
  let dir: string;
  let plane: TestControlPlane;
  let logs: Record<string, unknown>[];
  let clock: number;
  let reachability: Reachability;
  let caches: KeyCache[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'keys-'));
    plane = await startControlPlane();
    logs = [];
    clock = Date.parse('2026-11-01T12:00:00Z');
    caches = [];
    reachability = createReachability(() => clock);
  });
  afterEach(async () => {
    for (const cache of caches) await cache.stop();
    await plane.close();
    await rm(dir, { recursive: true, force: true });
  });

  function createCache(jwksUrl = plane.jwksUrl): KeyCache {
    const log = createTestLog(logs);
    const cache = createKeyCache({
      jwksUrl,
      store: createKeyStore(dir),
      fetch: fetchDirect,
      log,
      reachability,
      now: () => clock,
    });
    caches.push(cache);
    return cache;
  }

  async function findAll(cache: KeyCache, ...kids: string[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (const kid of kids) found.push((await cache.find(kid)) !== undefined);
    return found;
  }

  it('waits for the first fetch when a token comes before it has ended', async () => {
    const cache = createCache();
    await cache.start();
    expect(await findAll(cache, 'first')).to.deep.equal([true]);
    expect(plane.fetches).to.equal(1);
  });

  it('saves what it fetched, readable by its owner only, and leaves no draft', async () => {
    const cache = createCache();
    await cache.refresh();
    const saved = JSON.parse(await readFile(join(dir, 'jwks.json'), 'utf8')) as unknown;
    expect(saved).to.deep.equal({
      url: plane.jwksUrl,
      fetched_at: '2026-11-01T12:00:00.000Z',
      jwks: { keys: [plane.key.jwk] },
    });
    expect((await stat(join(dir, 'jwks.json'))).mode & 0o777).to.equal(0o600);
    expect(await readdir(dir)).to.deep.equal(['jwks.json']);
  });

  it('knows the keys after a restart while the control plane is down', async () => {
    await createCache().refresh();
    plane.failure = { status: 503, body: '' };
    const restarted = createCache();
    await restarted.start();
    expect(await findAll(restarted, 'first')).to.deep.equal([true]);
  });

  it('keeps the keys when a refresh fails, whatever comes back', async () => {
    const cache = createCache();
    await cache.refresh();
    const failures = [
      { status: 500, body: '' },
      { status: 200, body: '<html>' },
      { status: 200, body: '{"keys":"none"}' },
      { status: 200, body: 'x'.repeat(100_000) },
      { status: 302, body: '', location: '/elsewhere' },
    ];
    for (const failure of failures) {
      plane.failure = failure;
      await cache.refresh();
      expect(await findAll(cache, 'first')).to.deep.equal([true]);
    }
    await plane.close();
    await cache.refresh();
    expect(await findAll(cache, 'first')).to.deep.equal([true]);
    const [told] = reachability.list();
    expect([told?.service, told?.since]).to.deep.equal(['control_plane', '2026-11-01T12:00:00.000Z']);
    expect(logs.map(({ msg, kept }) => ({ msg, kept }))).to.deep.equal(
      Array.from({ length: 6 }, () => ({ msg: 'keys could not be fetched', kept: 1 })),
    );
    plane = await startControlPlane();
  });

  it('takes a new key at once and honours the old one while it is published', async () => {
    const cache = createCache();
    await cache.refresh();
    clock += 3_600_000;
    plane.published = [plane.key, await createSigningKey('second')];
    expect(await findAll(cache, 'second', 'first')).to.deep.equal([true, true]);
    expect(plane.fetches).to.equal(2);
  });

  it('drops a key that is no longer published, in memory and on disk', async () => {
    const cache = createCache();
    await cache.refresh();
    plane.published = [await createSigningKey('second')];
    await cache.refresh();
    expect(await findAll(cache, 'second', 'first')).to.deep.equal([true, false]);
    plane.failure = { status: 503, body: '' };
    const restarted = createCache();
    await restarted.start();
    expect(await findAll(restarted, 'second', 'first')).to.deep.equal([true, false]);
  });

  it('asks at most once per half minute for keys it has never seen', async () => {
    const cache = createCache();
    await cache.refresh();
    clock += 31_000;
    await Promise.all(Array.from({ length: 200 }, (_, index) => cache.find(`forged-${index}`)));
    expect(plane.fetches).to.equal(2);
    for (let index = 0; index < 200; index += 1) await cache.find(`again-${index}`);
    expect(plane.fetches).to.equal(2);
    clock += 31_000;
    await findAll(cache, 'forged-1', 'forged-2');
    expect(plane.fetches).to.equal(3);
  });

  it('asks a failing control plane at most once per 5 seconds, and notices that it is back', async () => {
    plane.failure = { status: 503, body: '' };
    const cache = createCache();
    await cache.refresh();
    expect(await findAll(cache, 'first', 'other')).to.deep.equal([false, false]);
    expect(plane.fetches).to.equal(1);
    plane.failure = undefined;
    clock += 5_001;
    expect(await findAll(cache, 'first')).to.deep.equal([true]);
    expect(plane.fetches).to.equal(2);
  });

  it('refreshes by itself, and tries again sooner after a failure', async () => {
    const log = createTestLog(logs);
    const intervals = { refreshMs: 40, retryMs: 10 };
    const store = createKeyStore(dir);
    const cache = createKeyCache({
      jwksUrl: plane.jwksUrl,
      store,
      fetch: fetchDirect,
      log,
      reachability,
      now: () => clock,
      intervals,
    });
    caches.push(cache);
    await cache.start();
    expect(await findAll(cache, 'first')).to.deep.equal([true]);
    plane.published = [await createSigningKey('second')];
    await waitUntil('the old key is dropped', async () => (await cache.find('first')) === undefined);
    plane.failure = { status: 503, body: '' };
    await waitUntil('a refresh fails', () => logs.length > 0);
    plane.failure = undefined;
    const before = plane.fetches;
    await waitUntil('it goes on', () => plane.fetches > before + 1);
    await cache.stop();
  });

  it('takes only RSA keys for signatures with RS256', async () => {
    const odd = await createSigningKey('odd');
    const changed = (kid: string, change: object): typeof odd => ({ ...odd, kid, jwk: { ...odd.jwk, kid, ...change } });
    plane.published = [
      plane.key,
      changed('encryption', { use: 'enc' }),
      changed('other-algorithm', { alg: 'RS512' }),
      changed('symmetric', { kty: 'oct', k: 'c2VjcmV0' }),
      changed('broken', { n: undefined }),
    ];
    const cache = createCache();
    await cache.refresh();
    const kids = ['first', 'encryption', 'other-algorithm', 'symmetric', 'broken'];
    expect(await findAll(cache, ...kids)).to.deep.equal([true, false, false, false, false]);
  });

  it('ignores saved keys of another control plane and a file that is not its own', async () => {
    await createCache().refresh();
    const other = await startControlPlane();
    other.failure = { status: 503, body: '' };
    const moved = createCache(other.jwksUrl);
    await moved.start();
    expect(await findAll(moved, 'first')).to.deep.equal([false]);
    await other.close();

    await writeFile(join(dir, 'jwks.json'), '{"url":');
    const confused = createCache();
    await confused.start();
    expect(await findAll(confused, 'first')).to.deep.equal([true]);
    expect(logs.map(({ msg }) => msg)).to.include('saved keys could not be read');
  });

  it('works from memory when the folder cannot be written', async () => {
    await writeFile(join(dir, 'file'), '');
    const log = createTestLog(logs);
    const store = createKeyStore(join(dir, 'file', 'state'));
    const cache = createKeyCache({
      jwksUrl: plane.jwksUrl,
      store,
      fetch: fetchDirect,
      log,
      reachability,
      now: () => clock,
    });
    caches.push(cache);
    await cache.start();
    expect(await findAll(cache, 'first')).to.deep.equal([true]);
    expect(logs.map(({ msg }) => msg)).to.include('keys could not be saved, so they last until the next restart');
  });
});
