import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect } from 'chai';
import type { ProviderName } from '../contract/vps.ts';
import { addDays } from '../control-plane/billing/life.ts';
import { sendSteerJob } from '../control-plane/commands/write-life.ts';
import { updateSubscription } from '../control-plane/db/subscriptions.ts';
import { findBox, type UserVpsRow } from '../control-plane/db/user-vps.ts';
import { buildBoxSpec } from '../control-plane/engine/box-spec.ts';
import { createEngine } from '../control-plane/engine/create-engine.ts';
import { createEngineEnvironment } from '../control-plane/engine/environment.ts';
import { findFamily, killProcesses, stillRunning } from '../tools/process-table.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

const PAID = { status: 'active', grace_started_at: null, suspends_at: null, grace_ends_at: null } as const;
const STOP = /^POST .*(\/actions)?\/stop$/;
/** "Starts again within a minute of payment", machine, engine and all. */
const MINUTE_MS = 60_000;

describe('a box that nobody pays for', function () {
  this.timeout(3 * MINUTE_MS);
  let run: TemporaryRun;
  let side: OperatorSide;
  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    run = await startTestSpoq();
    side = await openOperatorSide(run);
  });
  after(async () => {
    await side?.close();
    await run?.stop();
  });

  async function haveBox(login: string, provider: ProviderName): Promise<UserVpsRow> {
    const user = await side.subscribe(login);
    const { id } = await side.requestBox(user, { provider });
    return side.awaitBox(id, ['ready']);
  }
  /** As if Stripe had said so. */
  async function pay({ user_id }: UserVpsRow, paid: boolean): Promise<void> {
    const now = side.deps.now();
    const grace = {
      status: 'past_due',
      grace_started_at: now,
      suspends_at: now,
      grace_ends_at: addDays(now, 7),
    } as const;
    await side.deps.db.transaction(async (tx) => {
      await updateSubscription(tx, user_id, paid ? PAID : grace, now);
      await sendSteerJob(side.deps, tx, user_id);
    });
  }
  const until = async (box: UserVpsRow, what: string, isSo: (box: UserVpsRow) => boolean): Promise<UserVpsRow> =>
    waitFor(
      what,
      async () => {
        const present = await findBox(side.deps.db, box.id);
        if (present?.operation_failure != null) throw new Error(present.operation_failure);
        return present !== undefined && present.operation === null && isSo(present) && present;
      },
      MINUTE_MS,
    );
  const untilOff = (box: UserVpsRow) => until(box, 'it to be switched off', (one) => one.suspended_at !== null);
  const untilOn = (box: UserVpsRow) => until(box, 'it to be back', (one) => one.suspended_at === null);
  const stateOf = async (box: UserVpsRow): Promise<string | undefined> =>
    (await side.instances(box.provider)).find((one) => one.provider_instance_id === box.provider_instance_id)?.state;
  const answers = async ({ hostname }: UserVpsRow): Promise<boolean> => {
    const url = new URL(side.deps.config.BOX_URL_TEMPLATE.replace('{hostname}', hostname));
    // Its name leads to the sandbox's front door, and no resolver of this computer need know it.
    const sent = get({ host: '127.0.0.1', port: url.port, path: '/health', headers: { host: url.host }, agent: false });
    sent.setTimeout(5000, () => sent.destroy(new Error('nothing within 5 s')));
    return once(sent, 'response').then(
      ([answer]) => (answer as IncomingMessage).resume().statusCode === 200,
      () => false,
    );
  };
  async function preview(box: UserVpsRow): Promise<boolean> {
    const engine = createEngine({ env: createEngineEnvironment(side.deps.config, run.environment) });
    try {
      return (await engine.preview(buildBoxSpec(side.deps, box))).changed;
    } finally {
      await engine.close();
    }
  }

  for (const provider of ['contabo', 'hostinger'] as const)
    it(`is switched off at ${provider} and comes back on the same machine, with nothing else of it touched`, async () => {
      const box = await haveBox(`sus-${provider}`, provider);
      await pay(box, false);
      const off = await untilOff(box);
      expect([await stateOf(off), await answers(off)]).to.deep.equal(['stopped', false]);
      expect(await side.lookUp(box.hostname)).to.deep.equal([box.ip_address]);
      expect(await preview(off), 'a preview of a box that is off').to.equal(false);
      const began = performance.now();
      await pay(box, true);
      const on = await untilOn(box);
      expect(performance.now() - began).to.be.lessThan(MINUTE_MS);
      expect([await stateOf(on), await answers(on)]).to.deep.equal(['running', true]);
      const { fence, operation_number } = on;
      expect(on).to.deep.equal({ ...box, fence, operation_number });
      expect(await preview(on)).to.equal(false);
    });

  it('is switched off once the vendor answers again, and the worker that was killed meanwhile costs nothing', async () => {
    const box = await haveBox('sus-killed', 'contabo');
    const since = (await side.requests('contabo')).at(-1)?.id ?? 0;
    await side.addFault({ vendor: 'contabo', method: 'POST', path: '/stop$', hold_ms: 4000 });
    await pay(box, false);
    await waitFor('the vendor to be asked', async () =>
      (await side.requests('contabo')).some((one) => one.id > since && STOP.test(`${one.method} ${one.path}`)),
    );
    const family = findFamily(run.worker().pid);
    const victims = family.filter((one) => one.pid === run.worker().pid || one.name === 'pulumi');
    killProcesses(victims);
    await side.clearFaults();
    await run.restartWorker();
    const off = await untilOff(box);
    expect(await stateOf(off)).to.equal('stopped');
    await pay(box, true);
    expect(await answers(await untilOn(box))).to.equal(true);
    await waitFor('everything of the killed run to end', () => stillRunning(family).length === 0, 30_000);
  });

  it('is deleted when the grace period is over, as the vendor says itself, though it is switched off', async () => {
    const box = await haveBox('sus-gone', 'contabo');
    await pay(box, false);
    await untilOff(box);
    await side.deps.db.transaction(async (tx) => {
      await updateSubscription(tx, box.user_id, { ...PAID, status: 'expired' }, side.deps.now());
      await sendSteerJob(side.deps, tx, box.user_id);
    });
    await side.awaitBox(box.id, ['terminated'], MINUTE_MS);
    const left = (await side.instances('contabo')).find((one) => one.provider_instance_id === box.provider_instance_id);
    expect(left?.name).to.equal(`released-${box.provider_instance_id}`);
    expect(left?.ends_at).not.to.equal(null);
    expect(await side.lookUp(box.hostname)).to.deep.equal([]);
    expect(await side.stacks()).not.to.include(`box-${box.id}`);
  });
});
