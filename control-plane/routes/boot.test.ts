import { expect } from 'chai';
import { BOOT_REPORTS_PATH } from '../../contract/boot.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { openBootToken } from '../commands/open-boot-token.ts';
import { deleteBootToken } from '../db/boot-tokens.ts';
import type { BoxSpec } from '../engine/engine.ts';
import { expireRecords } from '../jobs/expire.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { makeBox } from '../testing/scripted-engine.ts';

type Row = Record<string, unknown>;

describe('a box that reports its own set-up', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());
  afterEach(async () => {
    world.engine.script = { up: [(spec, options) => makeBox(spec, options, world.engine.machines)] };
    await world.database.db('rate_limits').delete();
  });

  const report = (token: string, fields: Record<string, string>): Promise<Response> =>
    fetch(world.cp.url + BOOT_REPORTS_PATH, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams(fields),
    });
  const statusOf = async (answer: Promise<Response>): Promise<number> => (await answer).status;
  const codeOf = async (answer: Promise<Response>): Promise<string> =>
    ((await (await answer).json()) as { code: string }).code;
  const eventsOf = async (boxId: unknown): Promise<string[]> =>
    (await world.database.db('vps_events').where('user_vps_id', String(boxId)).orderBy('seq'))
      .filter(({ part }) => part !== null)
      .map(({ step, state, part, message }) => `${step} ${state} ${part.step} ${part.state}: ${message}`);
  /** A box whose machine is booting, and its token. */
  const boot = async (login: string): Promise<{ id: string; token: string; userId: string }> => {
    const { userId } = await world.becomeReady(login);
    const { id } = await world.cp.createBox(userId, 'provisioning');
    const { crypt_sealed: sealed } = await world.database.db('ssh_passwords').where('user_id', userId).first();
    await world.database.db('user_vps').where('id', id).update({ ssh_password_crypt: sealed });
    return { id, userId, token: await openBootToken(world.cp.deps, { id, fence: '0' }) };
  };

  it('tells each step once, however often and in whatever order its reports arrive', async () => {
    const { id, token } = await boot('ann');
    for (const state of ['started', 'started', 'done', 'started', 'done'])
      expect(await statusOf(report(token, { step: 'packages', state }))).to.equal(204);
    expect(await statusOf(report(token, { step: 'caddy', state: 'done', log: '' }))).to.equal(204);
    const many = Array.from({ length: 8 }, () => statusOf(report(token, { step: 'firewall', state: 'started' })));
    expect(new Set(await Promise.all(many))).to.deep.equal(new Set([204]));
    expect(await eventsOf(id)).to.deep.equal([
      'box progress packages started: Installing packages',
      'box progress packages done: Packages are installed',
      'box progress caddy done: HTTPS is on',
      'box progress firewall started: Closing the firewall',
    ]);
  });

  it('is known by its token alone, which is kept as a hash and sealed', async () => {
    const { id, token } = await boot('bea');
    const other = await boot('ben');
    expect(await codeOf(report('wrong', { step: 'sshd', state: 'done' }))).to.equal('token_invalid');
    const bare = fetch(world.cp.url + BOOT_REPORTS_PATH, { method: 'POST', body: new URLSearchParams() });
    expect(await codeOf(bare)).to.equal('token_missing');
    const wrong = report(token, { step: 'rm', state: 'over' });
    expect(await codeOf(wrong)).to.equal('invalid_request');
    expect(await codeOf(report(token, { step: 'sshd', state: 'failed', log: 'x'.repeat(13_000) }))).to.equal(
      'invalid_request',
    );
    expect(await codeOf(report(token, { step: 'sshd', state: 'failed', log: 'x'.repeat(20_000) }))).to.equal(
      'body_too_large',
    );
    const rows = JSON.stringify(await world.database.db('boot_tokens'));
    expect(rows).not.to.include(token);
    expect(await statusOf(report(token, { step: 'sshd', state: 'done' }))).to.equal(204);
    expect([await eventsOf(id), await eventsOf(other.id)].map(({ length }) => length)).to.deep.equal([1, 0]);
    expect(world.cp.logs.join('\n')).not.to.include(token);
  });

  it('has the same token in a second attempt at the same set-up, and another in the next set-up', async () => {
    const { id, token } = await boot('cat');
    const box = { id, fence: '0' };
    expect(await openBootToken(world.cp.deps, box)).to.equal(token);
    await deleteBootToken(world.database.db, id);
    expect(await codeOf(report(token, { step: 'sshd', state: 'done' }))).to.equal('token_invalid');
    const next = await openBootToken(world.cp.deps, box);
    expect(next).not.to.equal(token);
    world.cp.advance(2 * world.cp.deps.config.PROVISION_DEADLINE_SECONDS);
    expect(await codeOf(report(next, { step: 'sshd', state: 'done' }))).to.equal('token_invalid');
    expect(await openBootToken(world.cp.deps, box), 'it is given another while').to.equal(next);
    expect(await statusOf(report(next, { step: 'sshd', state: 'done' }))).to.equal(204);
    world.cp.advance(2 * world.cp.deps.config.PROVISION_DEADLINE_SECONDS);
    await expireRecords(world.cp.deps);
    expect(await world.database.db('boot_tokens').where('user_vps_id', id), 'it is forgotten').to.deep.equal([]);
  });

  it('shows its steps on the page and in the stream, and its token dies when it is ready', async () => {
    const { engine } = world;
    const token = Promise.withResolvers<string>();
    const answer = Promise.withResolvers<void>();
    engine.script.up.unshift(async (spec, options) => {
      token.resolve(spec.report?.token ?? '');
      await answer.promise;
      return makeBox(spec, options, engine.machines);
    });
    const worker = await world.work();
    const { browser, userId } = await world.becomeReady('dan');
    await browser.post('/api/vps/provision', { region: 'EU' });
    const given = await token.promise;
    await report(given, { step: 'packages', state: 'started' });
    await report(given, { step: 'packages', state: 'done' });
    await report(given, { step: 'firewall', state: 'started' });
    for (const _reload of [1, 2]) {
      const { text } = await browser.get('/setup/progress');
      expect(text).to.match(/<li class="done" data-part="packages">Packages are installed/);
      expect(text).to.match(/<li class="running" data-part="firewall">Closing the firewall/);
    }
    const { events } = JSON.parse((await browser.get('/api/vps/status')).text) as { events: Row[] };
    expect(events.at(-1)).to.deep.include({
      step: 'box',
      state: 'progress',
      message: 'Closing the firewall',
      part: { step: 'firewall', state: 'started' },
    });
    answer.resolve();
    const box = await world.waitForBox(userId, ({ status }) => status === 'ready');
    expect(await codeOf(report(given, { step: 'caddy', state: 'done' }))).to.equal('token_invalid');
    expect(await world.database.db('boot_tokens').where('user_vps_id', String(box['id']))).to.deep.equal([]);
    await worker.stop();
  });

  it('ends its provisioning at once when a step has failed, saying which and why, without secrets', async () => {
    const { engine } = world;
    const given = Promise.withResolvers<BoxSpec>();
    engine.script.up.unshift((spec, { signal }) => {
      given.resolve(spec);
      const { promise, reject } = Promise.withResolvers<never>();
      signal?.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
      return promise;
    });
    const worker = await world.work();
    const { browser, userId } = await world.becomeReady('eve');
    await browser.post('/api/vps/provision', { region: 'EU' });
    const spec = await given.promise;
    const token = spec.report?.token ?? '';
    const log = [
      '\u001b[31mErr:1 http://mirror.example noble InRelease\u001b[0m',
      `spoq:${spec.password_crypt} ${spec.model_keys.anthropic} ${token}`,
      'E: Unable to fetch <some> archives',
    ].join('\r\n');
    await report(token, { step: 'packages', state: 'started' });
    expect(await statusOf(report(token, { step: 'packages', state: 'failed', log }))).to.equal(204);
    const box = await world.waitForBox(userId, ({ status }) => status === 'failed');
    const sentence = 'Your machine could not set itself up (installing packages): E: Unable to fetch <some> archives';
    expect(box).to.deep.include({ failure: sentence });
    expect(engine.calls).to.include(`destroy ${spec.stack}`);
    const lines = (await eventsOf(box['id'])).at(-1) ?? '';
    expect(lines).to.equal(
      'box progress packages failed: Err:1 http://mirror.example noble InRelease\nspoq:[secret] [secret] [secret]\nE: Unable to fetch <some> archives',
    );
    const [last] = await world.database.db('vps_events').where('user_vps_id', String(box['id'])).orderBy('seq', 'desc');
    expect(last).to.deep.include({ step: 'box', state: 'failed', message: sentence, part: null });
    const page = await browser.get('/setup/progress');
    expect(page.text).to.include('E: Unable to fetch &lt;some&gt; archives').and.not.include('<some>');
    expect(world.cp.logs.join('\n')).not.to.include(token).and.not.to.include(spec.password_crypt);
    expect(await codeOf(report(token, { step: 'firewall', state: 'started' }))).to.equal('token_invalid');
    await worker.stop();
  });

  it('is finished by the next run when a worker stops between the report and the end', async () => {
    const { id, token, userId } = await boot('fay');
    const log = 'conductor.service: exited';
    expect(await statusOf(report(token, { step: 'conductor', state: 'failed', log }))).to.equal(204);
    expect(await codeOf(report(token, { step: 'caddy', state: 'started' }))).to.equal('token_invalid');
    expect(await statusOf(report(token, { step: 'conductor', state: 'failed' }))).to.equal(204);
    world.engine.script.up.unshift((_spec, { signal }) => {
      const { promise, reject } = Promise.withResolvers<never>();
      signal?.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
      return promise;
    });
    await world.cp.deps.db.transaction((tx) =>
      sendBoxJob(world.cp.deps.boss, tx, QUEUES.provision, { id, user_id: userId }),
    );
    const worker = await world.work();
    const box = await world.waitForBox(userId, ({ status }) => status === 'failed');
    expect(box['failure']).to.include('(starting the conductor): conductor.service: exited');
    await waitFor(
      'the token to be gone',
      async () => (await world.database.db('boot_tokens').where('user_vps_id', id)).length === 0,
    );
    await worker.stop();
  });

  it('is slowed down', async () => {
    const { token } = await boot('gus');
    const key = 'boot-report:127.0.0.1';
    await world.database.db('rate_limits').insert({ key, points: 600, expire: Date.now() + 60_000 });
    const answer = await report(token, { step: 'sshd', state: 'started' });
    expect([answer.status, answer.headers.has('retry-after')]).to.deep.equal([429, true]);
  });
});
