import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isRunning } from '../../test/harness/processes.ts';
import type { FaultRequest } from '../../sandbox/faults.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import { waitFor } from '../../test/harness/wait.ts';
import type { EngineEvent } from './engine.ts';
import { createEngineBench, type EngineBench, hasEngine } from './testing/bench.ts';

const UP_WORKER = fileURLToPath(new URL('testing/up-worker.ts', import.meta.url));
const isLinux = process.platform === 'linux';

/** When to strike: an event of the worker, or a request that the vendor has had. */
interface Moment {
  name: string;
  fault?: FaultRequest;
  on: (seen: { events: EngineEvent[]; calls: string[] }) => boolean;
}

const ordered = (calls: string[]): boolean => calls.some((call) => /^contabo POST .*\/instances$/.test(call));
const told = (message: string) => (seen: { events: EngineEvent[] }) =>
  seen.events.some((event) => event.message === message);

const MOMENTS: Moment[] = [
  { name: 'when its keys are made', on: told('Your keys are made') },
  {
    name: "between the vendor's create and its answer",
    fault: { vendor: 'contabo', method: 'POST', path: '/compute/instances$', hold_ms: 3_000 },
    on: (seen) => ordered(seen.calls) || told('Contabo: ordering the machine')(seen),
  },
  { name: 'while the vendor installs', on: told('Contabo: provisioning') },
  {
    name: "between the name's create and its answer",
    fault: { vendor: 'cloudflare', method: 'POST', path: 'dns_records$', hold_ms: 3_000 },
    on: told('Naming it'),
  },
  { name: 'while it waits for the box', on: told('Starting your box') },
];

describe('a killed engine', function () {
  this.timeout(120_000);
  let bench: EngineBench;

  before(async function () {
    if (!isLinux || !hasEngine()) return this.skip();
    bench = await createEngineBench({ PROVISION_POLL_MS: '50' });
    bench.sandbox.delays.provisioning_ms = 800;
  });
  after(() => bench?.close());
  afterEach(() => bench?.sandbox.faults.clear());

  for (const moment of MOMENTS)
    for (const victim of ['worker', 'engine'] as const)
      it(`kill -9 of the ${victim} ${moment.name}: one machine, one record`, async () => {
        const spec = bench.createSpec('contabo');
        if (moment.fault) bench.sandbox.faults.add(moment.fault);
        const since = bench.sandbox.requests.list().at(-1)?.id ?? 0;
        const worker = startWorker(spec);
        const calls = () =>
          bench.sandbox.requests.list({ since }).map(({ vendor, method, path }) => `${vendor} ${method} ${path}`);
        await waitFor(moment.name, () => moment.on({ events: worker.events, calls: calls() }));
        // The vendor must have the request; whether it has answered is what differs.
        if (moment.fault) await waitFor('the vendor to have acted', () => hasActed(spec, moment.fault?.vendor ?? ''));
        const engines = childrenOf(worker.child.pid ?? 0, /^pulumi$/);
        const others = [...engines, ...engines.flatMap((pid) => childrenOf(pid)), ...childrenOf(worker.child.pid ?? 0)];
        expect(engines, 'one engine runs').to.have.length(1);
        for (const pid of victim === 'worker' ? [worker.child.pid ?? 0] : engines) process.kill(pid, 'SIGKILL');

        const outputs = await bench.engine.up(spec, { takeOver: true });
        await worker.ended;
        await waitFor('every process of the killed run to end', () => others.every((pid) => !isRunning(pid)));
        expect(await bench.listLive(spec.stack)).to.deep.equal([outputs.provider_instance_id]);
        expect(recordsOf(spec)).to.deep.equal([outputs.ip_address]);
        const events: EngineEvent[] = [];
        await bench.engine.up(spec, { onEvent: (event) => events.push(event) });
        expect((await bench.engine.preview(spec)).changed, 'the state is whole').to.equal(false);
        await bench.engine.destroy(spec.stack, ['contabo']);
        expect(await bench.listLive(spec.stack)).to.deep.equal([]);
        expect(recordsOf(spec)).to.deep.equal([]);
      });

  it('destroy finds the machine and the name that a killed run left without a state', async () => {
    const spec = bench.createSpec('contabo');
    bench.sandbox.faults.add({ vendor: 'contabo', method: 'POST', path: '/compute/instances$', hold_ms: 3_000 });
    const worker = startWorker(spec);
    await waitFor('the order', () => hasActed(spec, 'contabo'));
    worker.child.kill('SIGKILL');
    await worker.ended;
    const given = await bench.engine.destroy(spec.stack, ['contabo'], { takeOver: true });
    expect(given.map(({ name, provider_instance_id: id }) => name === `released-${id}`)).to.deep.equal([true]);
    expect(await bench.listLive(spec.stack)).to.deep.equal([]);
    expect((await bench.engine.listStacks()).map(({ stack }) => stack)).not.to.include(spec.stack);
  });

  function startWorker(spec: BoxSpec): { child: ChildProcess; events: EngineEvent[]; ended: Promise<void> } {
    const child = spawn(process.execPath, [UP_WORKER], { env: bench.env, stdio: ['pipe', 'pipe', 'ignore'] });
    const events: EngineEvent[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as EngineEvent));
    child.stdin.end(`${JSON.stringify({ env: bench.env, spec })}\n`);
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('exit', () => resolve());
    return { child, events, ended: promise };
  }

  async function hasActed(spec: BoxSpec, vendor: string): Promise<boolean> {
    return vendor === 'contabo' ? (await bench.listLive(spec.stack)).length > 0 : recordsOf(spec).length > 0;
  }

  function recordsOf(spec: BoxSpec): string[] {
    const { records } = bench.sandbox.state('cloudflare') as { records: { name: string; content: string }[] };
    return records.filter(({ name }) => name === spec.hostname).map(({ content }) => content);
  }
});

/** Processes that `parent` started, by name. */
function childrenOf(parent: number, name = /./): number[] {
  const pids = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
  return pids.filter((pid) => {
    const status = readStatus(pid);
    return (
      status !== undefined &&
      new RegExp(`^PPid:\\s+${parent}$`, 'm').test(status) &&
      name.test(/^Name:\s+(.*)$/m.exec(status)?.[1] ?? '')
    );
  });
}

function readStatus(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined;
  }
}
