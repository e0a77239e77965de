import { expect } from 'chai';
import { parseEvents } from '../../test/harness/events.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import { takeFence } from '../db/user-vps.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { Browser } from '../testing/browser.ts';

interface Stream {
  status: number;
  text: () => string;
  /** Lines of events: `3 progress` or ` status ready`. */
  events: () => string[];
  ended: () => boolean;
  close(): void;
}

describe('asking for a box and watching it', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());

  async function open(browser: Browser, headers: Record<string, string> = {}, query = ''): Promise<Stream> {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const controller = new AbortController();
    const response = await fetch(`${world.cp.url}/api/vps/status${query}`, {
      headers: { accept: 'text/event-stream', cookie, ...headers },
      signal: controller.signal,
    });
    let text = '';
    let ended = false;
    const read = async () => {
      const decoder = new TextDecoder();
      try {
        for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
      } catch (error) {
        if (!controller.signal.aborted) throw error;
      }
      ended = true;
    };
    void read();
    return {
      status: response.status,
      text: () => text,
      ended: () => ended,
      events: () =>
        parseEvents(text).map(({ id = '', event = '', data }) => {
          const { status = '' } = JSON.parse(data) as { status?: string };
          return `${id} ${event} ${status}`.trim();
        }),
      close: () => controller.abort(),
    };
  }

  const tell = (boxId: string, message: string) =>
    world.cp.deps.db.transaction((tx) =>
      appendVpsEvent(tx, boxId, { step: 'machine', state: 'progress', message, at: new Date() }),
    );

  async function askForBox(login: string): Promise<{ browser: Browser; boxId: string; userId: string }> {
    const { browser, userId } = await world.becomeReady(login);
    const answer = await browser.postJson('/api/vps/provision', {});
    return { browser, userId, boxId: (JSON.parse(answer.text) as { id: string }).id };
  }

  it('answers 202 with where to look, and the nearest region when none is named', async () => {
    const { browser } = await world.becomeReady('anna');
    const answer = await browser.postJson('/api/vps/provision', { time_zone: 'Asia/Tokyo' });
    expect([answer.status, answer.location]).to.deep.equal([202, '/api/vps/status']);
    const { id, created_at, events, ...box } = JSON.parse(answer.text);
    expect([typeof id, typeof created_at, events.length]).to.deep.equal(['string', 'string', 1]);
    expect(box).to.deep.equal({
      status: 'pending',
      provider: 'contabo',
      region: 'JPN',
      hostname: 'anna.spoq.localhost',
      url: 'http://anna.spoq.localhost:4009',
      ip_address: null,
      ssh_username: 'spoq',
      ssh_host_key_fingerprint: null,
      failure: null,
      operation: null,
      operation_failure: null,
      suspended_at: null,
      notice: null,
      ready_at: null,
    });
    const status = await browser.get('/api/vps/status', { accept: 'application/json' });
    expect(JSON.parse(status.text)).to.deep.equal(JSON.parse(answer.text));
  });

  it('asks for a payment, a password and a region that there is', async () => {
    const nobody = new Browser(world.cp.url);
    const json = { accept: 'application/json' };
    const codeOf = async (browser: Browser, body: object) => {
      const answer = await browser.postJson('/api/vps/provision', body, json);
      return [answer.status, (JSON.parse(answer.text) as { code: string }).code];
    };
    expect(await codeOf(nobody, {})).to.deep.equal([401, 'not_signed_in']);
    expect((await nobody.get('/api/vps/status', json)).status).to.equal(401);
    const { browser, userId } = await world.becomeReady('bert');
    expect((await browser.get('/api/vps/status', json)).status).to.equal(404);
    expect(await codeOf(browser, { region: 'MOON' })).to.deep.equal([400, 'invalid_request']);
    expect(await codeOf(browser, { region: 7 })).to.deep.equal([400, 'invalid_request']);
    await world.database.db('ssh_passwords').where('user_id', userId).delete();
    expect(await codeOf(browser, { region: 'EU' })).to.deep.equal([409, 'no_password']);
    await world.database.db('subscriptions').where('user_id', userId).update({ status: 'past_due' });
    expect(await codeOf(browser, { region: 'EU' })).to.deep.equal([402, 'no_subscription']);
    const foreign = await browser.postJson('/api/vps/provision', {}, { ...json, 'sec-fetch-site': 'same-site' });
    expect(foreign.status).to.equal(403);
    expect(await world.database.db('user_vps').where('user_id', userId)).to.deep.equal([]);
  });

  it('streams what is new as it happens, and ends when the box is ready', async () => {
    const { browser, boxId } = await askForBox('cleo');
    const stream = await open(browser);
    expect(stream.status).to.equal(200);
    await waitFor('the first events', () => stream.events().length === 2);
    await tell(boxId, 'installing');
    await waitFor('the next event', () => stream.events().length === 3, 2_000);
    expect(stream.events()).to.deep.equal(['1 progress', 'status pending', '2 progress']);
    expect(stream.ended()).to.equal(false);
    const worker = await world.work();
    await waitFor('the end of the stream', () => stream.ended());
    expect(stream.events().at(-1)).to.equal('status ready');
    const ids = stream.events().flatMap((line) => /^(\d+) progress/.exec(line)?.[1] ?? []);
    expect(ids).to.deep.equal(ids.map((_id, index) => String(index + 1)));
    await worker.stop();
  });

  it('goes on after Last-Event-ID, or after what a page has seen, without a gap or a repetition', async () => {
    const { browser, boxId } = await askForBox('dirk');
    for (const message of ['a', 'b', 'c']) await tell(boxId, message);
    const [resumed, fromPage] = [await open(browser, { 'last-event-id': '2' }), await open(browser, {}, '?after=3')];
    await waitFor('both', () => resumed.events().length >= 3 && fromPage.events().length >= 2);
    expect(resumed.events()).to.deep.equal(['3 progress', '4 progress', 'status pending']);
    expect(fromPage.events()).to.deep.equal(['4 progress', 'status pending']);
    resumed.close();
    fromPage.close();
  });

  it('keeps telling when the connection that listens has broken', async () => {
    const { browser, boxId } = await askForBox('elke');
    const stream = await open(browser);
    await waitFor('the first events', () => stream.events().length === 2);
    const kill = () =>
      world.database.db.raw(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'spoq-listen' AND datname = current_database()`,
      );
    await waitFor('somebody to listen', async () => (await kill()).rows.length > 0);
    await tell(boxId, 'told in the meantime');
    await waitFor('the event', () => stream.events().includes('2 progress'), 5_000);
    stream.close();
  });

  it('lets a person have a few streams, not any number, and closes what is left behind', async () => {
    const { browser } = await askForBox('fritz');
    const streams: Stream[] = [];
    for (let index = 0; index < 8; index += 1) streams.push(await open(browser));
    const refused = await open(browser);
    expect(refused.status).to.equal(429);
    for (const stream of streams) stream.close();
    await waitFor('room again', async () => {
      const stream = await open(browser);
      stream.close();
      return stream.status === 200;
    });
    await waitFor('nobody to listen any more', async () => {
      const { rows } = await world.database.db.raw(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'spoq-listen' AND datname = current_database()`,
      );
      return rows.length === 0;
    });
  });

  it('ends a stream for a box that has failed or is gone', async () => {
    const { browser, boxId } = await askForBox('greta');
    await takeFence(world.cp.deps.db, boxId, ['pending'], 'provisioning');
    await world.database.db('user_vps').where('id', boxId).update({ status: 'failed', failure: 'No.' });
    const stream = await open(browser);
    await waitFor('the end', () => stream.ended());
    expect(stream.events()).to.deep.equal(['1 progress', 'status failed']);
    expect(stream.text()).to.contain('"failure":"No."');
  });
});
