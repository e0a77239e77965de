import { expect } from 'chai';
import type { ProviderName } from '../contract/vps.ts';
import { toStackName } from '../control-plane/db/user-vps.ts';
import type { FaultRequest } from '../sandbox/faults.ts';
import { DEFAULT_DELAYS } from '../sandbox/delays.ts';
import { findFamily } from '../tools/process-table.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

/** The vendor's order, by provider: what faults aim at. */
const ORDER = {
  contabo: { vendor: 'contabo', method: 'POST', path: 'compute/instances$' },
  hostinger: { vendor: 'hostinger', method: 'POST', path: 'virtual-machines$' },
} as const satisfies Record<ProviderName, FaultRequest>;
const RECORDS = { vendor: 'cloudflare', path: 'dns_records' } as const;
/** Long enough for a machine of the sandbox, short enough for a test to see the end of it. */
const DEADLINE_SECONDS = 8;

interface Case {
  name: string;
  provider: ProviderName;
  faults?: FaultRequest[];
  delays?: Record<string, number>;
  /** Done once the engine runs. */
  meanwhile?(run: TemporaryRun): Promise<void>;
  ends: 'ready' | RegExp;
}

const refusal = {
  contabo: { statusCode: 400, message: ['productId is not available'] },
  hostinger: { message: 'The item is sold out', correlation_id: 'c-1' },
};

const CASES: Case[] = [
  {
    name: '500 twice, then fine',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, status: 500, times: 2 }],
    ends: 'ready',
  },
  {
    name: '500 twice, then fine',
    provider: 'hostinger',
    faults: [{ ...ORDER.hostinger, status: 500, times: 2 }],
    ends: 'ready',
  },
  {
    name: '429 with Retry-After',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, status: 429, headers: { 'retry-after': '2' } }],
    ends: 'ready',
  },
  {
    name: '429 while it is asked for the state',
    provider: 'hostinger',
    faults: [
      {
        vendor: 'hostinger',
        method: 'GET',
        path: String.raw`virtual-machines/\d+$`,
        status: 429,
        headers: { 'retry-after': '1' },
        times: 2,
      },
    ],
    ends: 'ready',
  },
  {
    name: 'the order is made, its answer lost',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, cut: 'after' }],
    ends: 'ready',
  },
  {
    name: 'the order is made, its answer lost',
    provider: 'hostinger',
    faults: [{ ...ORDER.hostinger, cut: 'after' }],
    ends: 'ready',
  },
  {
    name: 'the order never arrives the first time',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, cut: 'before' }],
    ends: 'ready',
  },
  {
    name: 'the order is refused',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, status: 400, body: refusal.contabo }],
    ends: /^Contabo did not make the machine: productId is not available\.$/,
  },
  {
    name: 'the order is refused',
    provider: 'hostinger',
    faults: [{ ...ORDER.hostinger, status: 422, body: refusal.hostinger }],
    ends: /^Hostinger did not make the machine: .*sold out/,
  },
  {
    name: 'the machine breaks',
    provider: 'contabo',
    faults: [{ ...ORDER.contabo, becomes: 'error' }],
    ends: /^Contabo could not start the machine/,
  },
  {
    name: 'the machine never runs',
    provider: 'contabo',
    delays: { installing_ms: 600_000 },
    ends: /^Contabo did not have the machine running within 8 s \(last state: installing\)/,
  },
  {
    name: 'the machine never runs',
    provider: 'hostinger',
    delays: { provisioning_ms: 600_000 },
    ends: /^Hostinger did not have the machine running within 8 s \(last state: creating\)/,
  },
  { name: 'the address comes late', provider: 'contabo', delays: { address_ms: 3000 }, ends: 'ready' },
  {
    name: 'DNS is refused',
    provider: 'contabo',
    faults: [
      {
        ...RECORDS,
        method: 'POST',
        status: 403,
        body: {
          success: false,
          errors: [{ code: 9109, message: 'Unauthorized to access requested resource' }],
          messages: [],
          result: null,
        },
        times: 0,
      },
    ],
    ends: /name|DNS|Cloudflare/,
  },
  {
    name: 'DNS fails twice, then fine',
    provider: 'hostinger',
    faults: [{ ...RECORDS, method: 'POST', status: 503, times: 2 }],
    ends: 'ready',
  },
  {
    name: 'the engine is killed',
    provider: 'hostinger',
    async meanwhile(run) {
      const engine = await waitFor('the engine to run', () =>
        findFamily(run.worker().pid).find(({ name }) => name === 'pulumi'),
      );
      process.kill(engine.pid, 'SIGKILL');
    },
    ends: 'ready',
  },
];

describe('faults of vendors', function () {
  this.timeout(120_000);
  let run: TemporaryRun;
  let side: OperatorSide;

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    run = await startTestSpoq({ PROVISION_DEADLINE_SECONDS: String(DEADLINE_SECONDS) });
    side = await openOperatorSide(run);
  });
  after(async () => {
    await side?.close();
    await run?.stop();
  });
  beforeEach(() => side.setDelays({ ...DEFAULT_DELAYS, provisioning_ms: 300, installing_ms: 300 }));
  afterEach(() => side.clearFaults());

  /** What a box has at its vendors, and what we believe it has. */
  async function look(boxId: string, hostname: string, provider: ProviderName) {
    const rows: { status: string; provider_instance_id: string | null }[] = await side.deps
      .db('machines')
      .where('user_vps_id', boxId)
      .select('status', 'provider_instance_id');
    const ours = new Set(rows.map((row) => row.provider_instance_id));
    const instances = (await side.instances(provider)).filter(
      (one) => ours.has(one.provider_instance_id) || one.name.includes(boxId),
    );
    const stacks = (await side.stacks()).filter((stack) => stack === toStackName(boxId));
    return {
      believed: rows.map(({ status }) => status),
      billed: instances.filter(({ ends_at }) => ends_at === null).length,

      records: (await side.lookUp(hostname)).length,
      stacks: stacks.length,
    };
  }

  for (const [index, one] of CASES.entries())
    it(`${one.name} (${one.provider}): ${one.ends === 'ready' ? 'ready' : 'failed, nothing left behind'}`, async () => {
      const user = await side.subscribe(`fault${index}`);
      if (one.delays !== undefined) await side.setDelays(one.delays);
      for (const fault of one.faults ?? []) await side.addFault(fault);
      const box = await side.requestBox(user, { provider: one.provider });
      await one.meanwhile?.(run);
      const ended = await side.awaitBox(box.id, ['ready', 'failed'], 90_000);
      const found = await look(box.id, box.hostname, one.provider);
      if (one.ends === 'ready') {
        expect({ failure: ended.failure, ...found }).to.deep.equal({
          failure: null,
          believed: ['owned'],
          billed: 1,
          records: 1,
          stacks: 1,
        });
        return;
      }
      expect(ended.failure).to.match(one.ends);
      expect(found.believed.filter((status) => status === 'owned' || status === 'intended')).to.deep.equal([]);
      expect({ ...found, believed: [] }).to.deep.equal({ believed: [], billed: 0, records: 0, stacks: 0 });
    });
});
