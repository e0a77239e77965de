import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SpoqError } from '../../contract/errors.ts';
import { PROVIDERS } from '../../contract/vps.ts';
import { parseFirstBoot } from '../../sandbox/machines/first-boot.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import type { EngineEvent } from './engine.ts';
import { createEngineBench, type EngineBench, hasEngine, SECRETS } from './testing/bench.ts';

describe('engine', function () {
  this.timeout(90_000);
  let bench: EngineBench;

  before(async function () {
    if (!hasEngine()) return this.skip();
    bench = await createEngineBench();
  });
  after(() => bench?.close());
  afterEach(() => bench?.sandbox.faults.clear());

  /** The stack's state as the engine writes it down. */
  async function exportState(spec: BoxSpec): Promise<string> {
    const cwd = await mkdtemp(join(tmpdir(), 'spoq-export-'));
    try {
      await writeFile(join(cwd, 'Pulumi.yaml'), 'name: spoq\nruntime: nodejs\n');
      const { stdout } = await promisify(execFile)('pulumi', ['stack', 'export', '--stack', spec.stack], {
        cwd,
        env: bench.env,
        maxBuffer: 1 << 24,
      });
      return stdout;
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  }

  for (const provider of PROVIDERS)
    it(`makes, keeps and ends a box at ${provider}`, async () => {
      const { engine, sandbox } = bench;
      const spec = bench.createSpec(provider);
      const fresh = await engine.preview(spec);
      expect(fresh.summary).to.have.members([
        'The SSH key (box-host-key) would be made.',
        'The SSH key (box-control-key) would be made.',
        'The machine (box-instance) would be made.',
        'The DNS record (box-record) would be made.',
        'The check that the box answers (box-check) would be made.',
      ]);
      expect(
        (await engine.listStacks()).map(({ stack }) => stack),
        'a preview leaves no stack',
      ).not.to.include(spec.stack);

      const events: EngineEvent[] = [];
      const outputs = await engine.up(spec, { onEvent: (event) => events.push(event), isFirst: true });
      const { provider_instance_id, ip_address, ssh_host_key_fingerprint } = outputs;
      expect(outputs).to.deep.equal({
        provider_instance_id,
        ip_address,
        ssh_host_key_fingerprint,
        region: spec.region,
        hostname: spec.hostname,
        url: spec.url,
      });
      expect(
        events.filter(({ state }) => state !== 'progress').map(({ step, state }) => `${step} ${state}`),
      ).to.deep.equal(['keys', 'machine', 'address', 'box'].flatMap((step) => [`${step} started`, `${step} done`]));
      expect(
        events.filter(({ step, state }) => step === 'machine' && state === 'progress').map(({ message }) => message),
      ).to.include(provider === 'contabo' ? 'Contabo: running' : 'Hostinger: running');
      expect(events.filter(({ step }) => step === 'box').map(({ message }) => message)).to.include('The box answers');
      expect(await engine.outputs(spec.stack)).to.deep.equal(outputs);

      const state = await exportState(spec);
      for (const secret of [SECRETS.password_crypt, SECRETS.anthropic, 'PRIVATE KEY', ...secretsOf(bench.env)])
        expect(state.includes(secret), `${secret.slice(0, 12)}… in the state`).to.equal(false);
      expect(JSON.stringify(events)).not.to.include(SECRETS.anthropic);
      expect(JSON.stringify(sandbox.state('hostinger')), 'no script with secrets stays at the vendor').not.to.include(
        'spoq_host_ed25519_key',
      );

      expect((await engine.preview(spec)).summary).to.deep.equal([
        `Nothing would change: ${spec.hostname} is as it should be.`,
      ]);
      const renewed = { ...spec, password_crypt: '$6$another$hash', model_keys: { anthropic: 'another-key' } };
      expect((await engine.preview(renewed)).changed, 'what is read at first boot never reinstalls a machine').to.equal(
        false,
      );
      const moved = await engine.preview({ ...spec, region: provider === 'contabo' ? 'UK' : 'vno' });
      expect(moved.summary).to.include(
        `The machine (box-instance) would be replaced by a new one (region). Lost: everything on the disk of ${spec.hostname}.`,
      );
      expect((await engine.previewDestroy(spec.stack)).summary).to.include(
        `The machine (box-instance) would be removed. Lost: everything on the disk of ${spec.hostname}.`,
      );

      sandbox.requests.clear();
      const [machine, ...others] = await engine.destroy(spec.stack, [provider]);
      expect(others).to.deep.equal([]);
      expect({ ...machine, ends_at: typeof machine?.ends_at }).to.deep.include({
        provider_instance_id,
        name: `released-${provider_instance_id}`,
        ends_at: 'string',
      });
      const calls = sandbox.requests
        .list()
        .map(({ vendor, method, path }) => `${vendor} ${method} ${path.split('?')[0]}`);
      const removed = calls.findIndex((call) => call.startsWith('cloudflare DELETE'));
      const wiped = calls.findIndex((call) => /^contabo PUT |recreate$/.test(call));
      expect(removed, 'the record goes before the machine').to.be.within(0, wiped);
      expect((await engine.listStacks()).map(({ stack }) => stack)).not.to.include(spec.stack);
      expect(await bench.listLive(spec.stack)).to.deep.equal([]);
      expect(await engine.destroy(spec.stack, [provider]), 'a second time there is nothing').to.deep.equal([]);
    });

  it('gives the machine the host key whose fingerprint it tells', async () => {
    const spec = bench.createSpec('contabo');
    const { ssh_host_key_fingerprint, provider_instance_id } = await bench.engine.up(spec);
    const order = bench.sandbox.requests
      .list()
      .find(
        ({ vendor, method, path, request_body }) =>
          vendor === 'contabo' &&
          method === 'POST' &&
          path.includes('/compute/instances') &&
          JSON.stringify(request_body).includes(spec.stack),
      );
    const { userData } = JSON.parse(String(order?.request_body)) as { userData: string };
    const files = parseFirstBoot({ kind: 'user-data', text: userData });
    const key = files.find(({ path }) => path === '/etc/ssh/spoq_host_ed25519_key.pub')?.content.toString() ?? '';
    const folder = await mkdtemp(join(tmpdir(), 'spoq-key-'));
    try {
      await writeFile(join(folder, 'key.pub'), key);
      const { stdout } = await promisify(execFile)('ssh-keygen', ['-l', '-f', join(folder, 'key.pub')]);
      expect(stdout).to.include(ssh_host_key_fingerprint).and.include('ED25519');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(provider_instance_id).to.match(/^\d+$/);
    await bench.engine.destroy(spec.stack, ['contabo']);
  });

  describe('when a vendor fails', () => {
    const ORDER = { contabo: '/v1/compute/instances$', hostinger: '/vps/v1/virtual-machines$' } as const;
    const RIGHT_IN_THE_END = [
      ['two 500s', { status: 500, times: 2 }],
      ['an answer that is lost', { cut: 'after' }],
      ['a connection that is cut', { cut: 'before' }],
      ['429 with Retry-After', { status: 429, headers: { 'retry-after': '0' } }],
    ] as const;
    for (const provider of PROVIDERS)
      for (const [name, fault] of RIGHT_IN_THE_END)
        it(`${provider}, ${name}: one machine`, async () => {
          const spec = bench.createSpec(provider);
          bench.sandbox.faults.add({ vendor: provider, method: 'POST', path: ORDER[provider], ...fault });
          await bench.engine.up(spec);
          expect(await bench.listLive(spec.stack)).to.have.length(1);
          await bench.engine.destroy(spec.stack, [provider]);
        });

    it('an order that is refused: the reason, and nothing bought', async () => {
      const spec = bench.createSpec('contabo');
      const body = { statusCode: 402, message: 'No payment method' };
      bench.sandbox.faults.add({ vendor: 'contabo', method: 'POST', path: ORDER.contabo, status: 402, body, times: 0 });
      const error = await failureOf(bench.engine.up(spec));
      expect([error.code, error.detail]).to.deep.equal([
        'engine_failed',
        'Contabo did not make the machine: No payment method.',
      ]);
      expect(await bench.listLive(spec.stack)).to.deep.equal([]);
      expect(await bench.engine.destroy(spec.stack, ['contabo'])).to.deep.equal([]);
      expect((await bench.engine.listStacks()).map(({ stack }) => stack)).not.to.include(spec.stack);
    });

    const BROKEN = [
      ['contabo', 'Contabo could not start the machine (The installation failed).'],
      ['hostinger', 'Hostinger could not start the machine (error).'],
    ] as const;
    for (const [provider, reason] of BROKEN)
      it(`${provider}, a machine that never runs: the reason, and it is given up`, async () => {
        const spec = bench.createSpec(provider);
        bench.sandbox.faults.add({ vendor: provider, method: 'POST', path: ORDER[provider], becomes: 'error' });
        const error = await failureOf(bench.engine.up(spec));
        expect([error.code, error.detail]).to.deep.equal(['engine_failed', reason]);
        expect(await bench.engine.destroy(spec.stack, [provider])).to.have.length(1);
        expect(await bench.listLive(spec.stack)).to.deep.equal([]);
        await bench.engine.up(spec);
        expect(await bench.listLive(spec.stack), 'the next try gets another one').to.have.length(1);
        await bench.engine.destroy(spec.stack, [provider]);
      });

    it('hostinger, a machine that was bought and not set up: is set up', async () => {
      const spec = bench.createSpec('hostinger');
      bench.sandbox.faults.add({ vendor: 'hostinger', method: 'POST', path: ORDER.hostinger, becomes: 'initial' });
      await bench.engine.up(spec);
      expect(await bench.listLive(spec.stack)).to.have.length(1);
      await bench.engine.destroy(spec.stack, ['hostinger']);
    });

    it('DNS refused: the reason, and destroy finds the machine', async () => {
      const spec = bench.createSpec('hostinger');
      const body = {
        success: false,
        errors: [{ code: 10000, message: 'Authentication error' }],
        messages: [],
        result: null,
      };
      bench.sandbox.faults.add({ vendor: 'cloudflare', method: 'POST', path: 'dns_records', status: 403, body });
      const events: EngineEvent[] = [];
      const error = await failureOf(bench.engine.up(spec, { onEvent: (event) => events.push(event) }));
      expect(error.code).to.equal('engine_failed');
      expect(error.detail).to.match(/^The box's name could not be set: .*Authentication error/);
      expect(events.filter(({ state }) => state === 'failed').map(({ step }) => step)).to.deep.equal(['address']);
      expect(await bench.engine.destroy(spec.stack, ['hostinger'])).to.have.length(1);
      expect(await bench.listLive(spec.stack)).to.deep.equal([]);
    });
  });

  it('replaces a machine: name away, old one given up, new one made, name set', async () => {
    const spec = bench.createSpec('contabo');
    const before = await bench.engine.up(spec);
    const since = bench.sandbox.requests.list().at(-1)?.id ?? 0;
    const after = await bench.engine.up({ ...spec, region: 'UK' });
    expect(after.provider_instance_id).not.to.equal(before.provider_instance_id);
    const calls = bench.sandbox.requests
      .list({ since })
      .filter(({ method, path }) => method !== 'GET' && !path.includes('/token'))
      .map(
        ({ vendor, method, path }) =>
          `${vendor} ${method} ${path.replace(/.*\/(instances|dns_records)/, '$1').replace(/[0-9a-f]{32}|\d{4,}/, 'ID')}`,
      );
    expect(calls).to.deep.equal([
      'cloudflare DELETE dns_records/ID',
      'contabo PUT instances/ID',
      'contabo POST instances/ID/cancel',
      'contabo PATCH instances/ID',
      'contabo POST instances',
      'cloudflare POST dns_records',
    ]);
    expect(await bench.listLive(spec.stack)).to.deep.equal([after.provider_instance_id]);
    await bench.engine.destroy(spec.stack, ['contabo']);
  });

  it('says stack_busy while somebody else holds the lock', async () => {
    const spec = bench.createSpec('contabo');
    bench.sandbox.delays.provisioning_ms = 3_000;
    const events: EngineEvent[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = bench.engine.up(spec, {
      onEvent: (event) => {
        events.push(event);
        if (event.message === 'Contabo: provisioning') resolve();
      },
    });
    await promise;
    bench.sandbox.delays.provisioning_ms = 30;
    expect((await failureOf(bench.engine.up(spec))).code).to.equal('stack_busy');
    await first;
    await bench.engine.destroy(spec.stack, ['contabo']);
  });

  it('stops when it is told, and goes on with the same machine', async () => {
    const spec = bench.createSpec('contabo');
    bench.sandbox.delays.provisioning_ms = 60_000;
    const abort = new AbortController();
    const onEvent = (event: EngineEvent): void => {
      if (event.message === 'Contabo: provisioning') abort.abort();
    };
    const began = performance.now();
    const error = await failureOf(bench.engine.up(spec, { signal: abort.signal, onEvent }));
    expect(error.code).to.equal('cancelled');
    expect(performance.now() - began).to.be.below(20_000);
    bench.sandbox.clock.advance(60_000);
    bench.sandbox.delays.provisioning_ms = 30;
    await bench.engine.up(spec);
    expect(await bench.listLive(spec.stack)).to.have.length(1);
    await bench.engine.destroy(spec.stack, ['contabo']);
  });
});

/** The values of an environment that must never be seen. */
function secretsOf(env: Record<string, string>): string[] {
  return ['CONTABO_CLIENT_SECRET', 'CONTABO_API_PASSWORD', 'HOSTINGER_API_KEY', 'CLOUDFLARE_API_TOKEN'].map(
    (name) => env[name] ?? name,
  );
}

async function failureOf(promise: Promise<unknown>): Promise<SpoqError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpoqError)) throw new Error(`no SpoqError but ${String(error)}`, { cause: error });
  return error;
}
