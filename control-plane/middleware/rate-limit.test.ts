import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { createRateLimiter, deleteExpiredRateLimits, RATE_LIMITS, toAddressKey } from './rate-limit.ts';

describe('rate limits', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.close());

  for (const [ip, key] of [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const)
    it(`count ${ip || 'nothing'} as ${key || 'nothing'}`, () => expect(toAddressKey(ip)).to.equal(key));

  it('let exactly as many through as they say, however many come at once, and one more for each refund', async () => {
    const limiter = createRateLimiter(database, 'wrong-code-user');
    const { points } = RATE_LIMITS['wrong-code-user'];
    const attempt = () =>
      limiter.consume('somebody').then(
        () => 'through',
        (error: { code?: string }) => error.code,
      );
    const outcomes = await Promise.all(Array.from({ length: points + 5 }, attempt));
    expect(outcomes.filter((outcome) => outcome === 'through').length).to.equal(points);
    expect(outcomes.filter((outcome) => outcome === 'too_many_requests').length).to.equal(5);
    for (let count = 0; count < 6; count += 1) await limiter.refund('somebody');
    expect(await attempt()).to.equal('through');
    expect(await attempt()).to.equal('too_many_requests');
    expect(await limiter.consume('somebody else')).to.equal(undefined);
  });

  it('are forgotten when they have run out', async () => {
    await database.db('rate_limits').delete();
    await database.db('rate_limits').insert([
      { key: 'a', points: 1, expire: 1000 },
      { key: 'b', points: 1, expire: 3000 },
    ]);
    expect(await deleteExpiredRateLimits(database.db, new Date(2000))).to.equal(1);
    expect(await database.db('rate_limits').pluck('key')).to.deep.equal(['b']);
  });
});
