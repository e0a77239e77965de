import { expect } from 'chai';
import type { ASKED_OPERATIONS, ProviderName } from '../contract/vps.ts';
import { beginOperation } from '../control-plane/commands/begin-operation.ts';
import { findBox, type UserVpsRow } from '../control-plane/db/user-vps.ts';
import { findFamily, killProcesses, stillRunning } from '../tools/process-table.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

interface Moment {
  name: string;
  provider: ProviderName;
  operation: (typeof ASKED_OPERATIONS)[number];
  prepare?(side: OperatorSide): Promise<unknown>;
  has(side: OperatorSide, box: UserVpsRow): Promise<boolean>;
}

/** What the vendor is asked for. */
const CALLS = {
  contabo: { restart: /^POST .*actions\/restart$/, rebuild: /^PUT .*instances\/\d+$/ },
  hostinger: { restart: /^POST .*\/restart$/, rebuild: /^POST .*\/recreate$/ },
} as const;

/** Whether the operation that is going on has told of a step. */
const told = async (side: OperatorSide, box: UserVpsRow, step: string, message = /./): Promise<boolean> => {
  const events = await side.deps.db('vps_events').where('user_vps_id', box.id).orderBy('seq');
  const begin = events.findLastIndex((event) => event.step === 'queued' && event.state === 'started');
  return events.slice(begin).some((event) => event.step === step && message.test(event.message));
};

const MOMENTS: Moment[] = [
  {
    name: 'the machine is being restarted',
    provider: 'contabo',
    operation: 'restart',
    has: (side, box) => told(side, box, 'machine', /: restarting/),
  },
  {
    name: 'the vendor has begun to install the machine anew, and has not answered',
    provider: 'contabo',
    operation: 'rebuild',
    prepare: (side) => side.addFault({ vendor: 'contabo', method: 'PUT', path: 'instances/', hold_ms: 4000 }),
    has: async (side, box) =>
      (await side.instances('contabo')).some((one) => one.name.includes(box.id) && one.state === 'installing'),
  },
  {
    name: 'the machine is being installed anew',
    provider: 'hostinger',
    operation: 'rebuild',
    has: (side, box) => told(side, box, 'machine', /: recreating/),
  },
  {
    name: 'the rebuilt box is being waited for',
    provider: 'contabo',
    operation: 'rebuild',
    prepare: (side) => side.setDelays({ installing_ms: 1000 }),
    has: (side, box) => told(side, box, 'box'),
  },
];

describe('kill -9 of worker and engine during an operation', function () {
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

  for (const [index, { name, provider, operation, prepare, has }] of MOMENTS.entries())
    it(`when ${name} (${provider}): asked for once, the same machine, ready`, async () => {
      const user = await side.subscribe(`change${index}`);
      const { id } = await side.requestBox(user, { provider });
      const before = await side.awaitBox(id, ['ready']);
      // Longer than it takes until another worker goes on.
      await side.setDelays({ installing_ms: 25_000 });
      await prepare?.(side);
      const since = (await side.requests(provider)).at(-1)?.id ?? 0;
      await beginOperation(side.deps, before, { operation, actor: 'operator', ip: null });
      await waitFor(name, () => has(side, before), 45_000);
      const family = findFamily(run.worker().pid);
      const victims = family.filter((one) => one.pid === run.worker().pid || one.name === 'pulumi');
      killProcesses(victims);
      const killed = await findBox(side.deps.db, id);
      expect(killed?.operation, 'it was killed too late').to.equal(operation);
      await side.clearFaults();
      await run.restartWorker();

      const isOver = async () => {
        const box = await findBox(side.deps.db, id);
        return box !== undefined && (box.operation === null || box.operation_failure !== null) && box;
      };
      const after = await waitFor('the operation to end', isOver, 90_000);
      await side.setDelays({ installing_ms: 300 });
      expect(after).to.deep.equal({ ...before, operation_number: 1, fence: after.fence });
      const asked = (await side.requests(provider)).filter(
        (one) => one.id > since && CALLS[provider][operation].test(`${one.method} ${one.path}`),
      );
      // A second restart costs a minute; a second installation would wipe what is new on the disk.
      expect(asked.length).to.be.within(1, operation === 'restart' ? 2 : 1);
      expect(await side.lookUp(before.hostname)).to.deep.equal([before.ip_address]);
      const machines = await side.deps.db('machines').where('user_vps_id', id).select('status');
      expect(machines).to.deep.equal([{ status: 'owned' }]);
      await waitFor('everything of the killed run to end', () => stillRunning(family).length === 0, 30_000);
    });
});
