import { expect } from 'chai';
import type { ProviderName } from '../contract/vps.ts';
import type { UserVpsRow } from '../control-plane/db/user-vps.ts';
import { findFamily, killProcesses, stillRunning } from '../tools/process-table.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

interface Moment {
  name: string;
  provider: ProviderName;
  /** Makes the moment long enough to be met. */
  prepare?(side: OperatorSide): Promise<void>;
  has(side: OperatorSide, box: UserVpsRow, run: TemporaryRun): Promise<boolean>;
}

const told = async (side: OperatorSide, box: UserVpsRow, step: string, message = /./): Promise<boolean> => {
  const events = await side.deps.db('vps_events').where({ user_vps_id: box.id, step });
  return events.some((event: { message: string }) => message.test(event.message));
};
const hasInstance = async (side: OperatorSide, box: UserVpsRow): Promise<boolean> =>
  (await side.instances(box.provider)).some(({ name }) => name.startsWith(`box-${box.id}`));
const engines = (run: TemporaryRun) => findFamily(run.worker().pid).filter(({ name }) => name === 'pulumi');

const MOMENTS: Moment[] = [
  { name: 'the job has been taken', provider: 'contabo', has: (side, box) => told(side, box, 'queued', /begun/) },
  { name: 'the engine has started', provider: 'contabo', has: async (_side, _box, run) => engines(run).length > 0 },
  { name: 'the keys are being made', provider: 'contabo', has: (side, box) => told(side, box, 'keys') },
  {
    name: "the order is at the vendor, who hasn't acted",
    provider: 'contabo',
    prepare: async (side) =>
      void (await side.addFault({ vendor: 'contabo', method: 'POST', path: 'instances$', delay_ms: 4000 })),
    has: (side, box) => told(side, box, 'machine', /ordering/),
  },
  {
    name: 'the vendor has made the machine, and has not answered',
    provider: 'contabo',
    prepare: async (side) =>
      void (await side.addFault({ vendor: 'contabo', method: 'POST', path: 'instances$', hold_ms: 4000 })),
    has: hasInstance,
  },
  {
    name: 'the vendor has made the machine, and has not answered',
    provider: 'hostinger',
    prepare: async (side) =>
      void (await side.addFault({ vendor: 'hostinger', method: 'POST', path: 'virtual-machines$', hold_ms: 4000 })),
    has: hasInstance,
  },
  {
    name: 'the machine is being prepared',
    provider: 'contabo',
    has: (side, box) => told(side, box, 'machine', /: provisioning/),
  },
  {
    name: 'the machine is being installed',
    provider: 'contabo',
    has: (side, box) => told(side, box, 'machine', /: installing/),
  },
  {
    name: 'the machine is being created',
    provider: 'hostinger',
    has: (side, box) => told(side, box, 'machine', /: creating/),
  },
  {
    name: 'the record has been made, and Cloudflare has not answered',
    provider: 'contabo',
    prepare: async (side) =>
      void (await side.addFault({ vendor: 'cloudflare', method: 'POST', path: 'dns_records$', hold_ms: 4000 })),
    has: async (side, box) => (await side.lookUp(box.hostname)).length > 0,
  },
  { name: 'the box is being waited for', provider: 'hostinger', has: (side, box) => told(side, box, 'box') },
];

describe('kill -9 of worker and engine', function () {
  this.timeout(120_000);
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
  afterEach(() => side.clearFaults());

  for (const [index, moment] of MOMENTS.entries())
    it(`when ${moment.name} (${moment.provider}): one machine, one record, ready`, async () => {
      const user = await side.subscribe(`kill${index}`);
      await moment.prepare?.(side);
      const box = await side.requestBox(user, { provider: moment.provider });
      await waitFor(moment.name, () => moment.has(side, box, run), 45_000);
      const family = findFamily(run.worker().pid);
      const victims = family.filter(({ pid, name }) => pid === run.worker().pid || name === 'pulumi');
      killProcesses(victims);
      const before = await side.deps.db('user_vps').where('id', box.id).first('status');
      expect(before.status, 'it was killed too late').to.equal('provisioning');
      await side.clearFaults();
      await run.restartWorker();

      const ready = await side.awaitBox(box.id, ['ready', 'failed']);
      const mine = (await side.instances(moment.provider))
        .filter(({ ends_at }) => ends_at === null)
        .filter(({ name }) => name.includes(box.id));
      const machines = await side.deps
        .db('machines')
        .where('user_vps_id', box.id)
        .select('status', 'provider_instance_id');
      expect({ status: ready.status, machines, records: await side.lookUp(box.hostname) }).to.deep.equal({
        status: 'ready',
        machines: [{ status: 'owned', provider_instance_id: mine[0]?.provider_instance_id }],
        records: [ready.ip_address],
      });
      expect(mine).to.have.length(1);
      await waitFor('everything of the killed run to end', () => stillRunning(family).length === 0, 30_000);
    });
});
