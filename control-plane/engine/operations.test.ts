import { expect } from 'chai';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';
import { PROVIDERS } from '../../contract/vps.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import type { EngineEvent } from './engine.ts';
import { createEngineBench, type EngineBench, hasEngine } from './testing/bench.ts';

describe('operations on a box that is there', function () {
  this.timeout(90_000);
  let bench: EngineBench;

  before(async function () {
    if (!hasEngine()) return this.skip();
    bench = await createEngineBench();
  });
  after(() => bench?.close());
  afterEach(() => bench?.sandbox.faults.clear());

  const CALL = {
    contabo: { restart: /^POST .*actions\/restart$/, rebuild: /^PUT .*instances\/\d+$/ },
    hostinger: { restart: /^POST .*\/restart$/, rebuild: /^POST .*\/recreate$/ },
  } as const;
  const last = () => bench.sandbox.requests.list().at(-1)?.id ?? 0;
  const writesSince = (since: number, pattern: RegExp) =>
    bench.sandbox.requests
      .list({ since })
      .map(({ method, path }) => `${method} ${path}`)
      .filter((call) => pattern.test(call));
  /** A file of the customer's, on the disk of their machine. */
  const fileOf = (id: string) => {
    const machine = bench.sandbox.machines.list().find((one) => one.id.endsWith(`-${id}`));
    return join(machine?.root ?? '', 'a-file-of-theirs');
  };

  for (const provider of PROVIDERS)
    it(`restarts and rebuilds a box at ${provider}, on its address, when it is asked to and never else`, async () => {
      const { engine } = bench;
      const spec = bench.createSpec(provider);
      const made = await engine.up(spec);
      const file = fileOf(made.provider_instance_id);
      writeFileSync(file, 'x');

      const address = made.ip_address;
      const restart: BoxSpec = { ...spec, operation: { name: 'restart', number: 1, address } };
      const preview = await engine.preview(restart);
      expect(preview.summary).to.deep.equal([
        'The machine (box-instance) would be restarted.',
        'The check that the box answers (box-check) would be made again.',
      ]);
      let since = last();
      const events: EngineEvent[] = [];
      expect(await engine.up(restart, { onEvent: (event) => events.push(event) })).to.deep.equal(made);
      expect(writesSince(since, CALL[provider].restart)).to.have.length(1);
      expect(existsSync(file), 'a restart keeps the disk').to.equal(true);
      const told = events.map(({ step, state, message }) => `${step} ${state}: ${message}`);
      expect(told).to.include.members([
        'machine started: Changing your machine',
        'machine done: Your machine runs',
        'box progress: The box answers',
      ]);
      for (const again of [restart, spec]) expect((await engine.preview(again)).changed).to.equal(false);

      const rebuild: BoxSpec = { ...spec, operation: { name: 'rebuild', number: 2, address } };
      expect((await engine.preview(rebuild)).summary).to.deep.equal([
        `The machine (box-instance) would be installed anew, with its address kept. Lost: everything on the disk of ${spec.hostname}.`,
        'The check that the box answers (box-check) would be made again.',
      ]);
      since = last();
      expect(await engine.up(rebuild)).to.deep.equal(made);
      expect(writesSince(since, CALL[provider].rebuild)).to.have.length(1);
      expect(existsSync(file), 'a rebuild wipes the disk').to.equal(false);
      expect(JSON.stringify(bench.sandbox.state('hostinger')), 'no script stays at the vendor').not.to.include(
        'spoq_host_ed25519_key',
      );
      writeFileSync(file, 'x');
      for (const again of [rebuild, spec]) expect(await engine.up(again)).to.deep.equal(made);
      expect(existsSync(file), 'once done is done').to.equal(true);
      await engine.destroy(spec.stack, [provider]);
    });

  for (const provider of PROVIDERS)
    it(`rebuilds a box at ${provider}, although the answer is lost`, async () => {
      const spec = bench.createSpec(provider);
      const { ip_address: address } = await bench.engine.up(spec);
      bench.sandbox.delays.installing_ms = 1_000;
      const path = provider === 'contabo' ? '/compute/instances/' : '/recreate$';
      const method = provider === 'contabo' ? 'PUT' : 'POST';
      bench.sandbox.faults.add({ vendor: provider, method, path, cut: 'after' });
      await bench.engine.up({ ...spec, operation: { name: 'rebuild', number: 1, address } });
      bench.sandbox.delays.installing_ms = 30;
      await bench.engine.destroy(spec.stack, [provider]);
    });

  it('refused by the vendor: the reason, the disk is kept, and asking again does it', async () => {
    const spec = bench.createSpec('contabo');
    const made = await bench.engine.up(spec);
    const file = fileOf(made.provider_instance_id);
    writeFileSync(file, 'x');
    const body = { statusCode: 409, message: 'Maintenance' };
    bench.sandbox.faults.add({ vendor: 'contabo', method: 'PUT', path: '/compute/instances/', status: 409, body });
    const rebuild: BoxSpec = { ...spec, operation: { name: 'rebuild', number: 1, address: made.ip_address } };
    const error = await failureOf(bench.engine.up(rebuild));
    expect([error.code, error.detail]).to.deep.equal([
      'engine_failed',
      'Contabo did not reinstall the machine: Maintenance.',
    ]);
    expect(await bench.engine.up(spec), 'without the wish nothing is lost').to.deep.equal(made);
    expect(existsSync(file)).to.equal(true);
    expect(await bench.engine.up(rebuild)).to.deep.equal(made);
    expect(existsSync(file)).to.equal(false);
    await bench.engine.destroy(spec.stack, ['contabo']);
  });

  it('a machine that does not come back: the reason, machine and name are kept, and the next one does it', async () => {
    const spec = bench.createSpec('contabo');
    const made = await bench.engine.up(spec);
    bench.sandbox.faults.add({
      vendor: 'contabo',
      method: 'GET',
      path: `/compute/instances/${made.provider_instance_id}$`,
      after: 1,
      status: 403,
      body: { statusCode: 403, message: 'Suspended' },
    });
    const error = await failureOf(
      bench.engine.up({ ...spec, operation: { name: 'rebuild', number: 1, address: made.ip_address } }),
    );
    expect(error.detail).to.equal('Contabo did not reinstall the machine: Suspended.');
    expect(await bench.listLive(spec.stack)).to.deep.equal([made.provider_instance_id]);
    const next: BoxSpec = { ...spec, operation: { name: 'rebuild', number: 2, address: made.ip_address } };
    expect((await bench.engine.preview(next)).summary[0]).to.match(/would be installed anew/);
    expect(await bench.engine.up(next)).to.deep.equal(made);
    await bench.engine.destroy(spec.stack, ['contabo']);
  });
});

async function failureOf(promise: Promise<unknown>): Promise<SpoqError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpoqError)) throw new Error('No SpoqError was thrown', { cause: error });
  return error;
}
