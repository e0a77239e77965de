import { expect } from 'chai';
import * as rpc from '@pulumi/pulumi/runtime/rpc.js';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../../test/harness/processes.ts';
import { createCloudflareVendor } from '../cloudflare/vendor.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { createCloudflarePlugin } from './cloudflare/dns-record.ts';
import { createCommandPlugin } from './command/command-plugin.ts';
import { createLocalCommandPlugin } from './command/local-command.ts';

const COMMAND = 'urn:pulumi:s::spoq::spoq:infra:Box$command:local:Command::check';
const RECORD = 'urn:pulumi:s::spoq::cloudflare:index/dnsRecord:DnsRecord::record';

describe('stand-in for local.Command', () => {
  const said: string[] = [];
  const { plugin, killAll } = createLocalCommandPlugin({ PATH: process.env['PATH'], GREETING: 'hello' }, (_urn, line) =>
    said.push(line),
  );

  it('runs what is made, changed and removed, with the former output at hand', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spoq-command-'));
    try {
      const inputs = {
        create: 'echo "$GREETING $NAME"; echo careful >&2',
        update: 'echo "was: $PULUMI_COMMAND_STDOUT"',
        delete: `echo gone > ${folder}/gone`,
        environment: { NAME: { [rpc.specialSigKey]: rpc.specialSecretSig, value: 'alice' } },
      };
      const { id, outs } = (await plugin.create?.(COMMAND, inputs)) ?? { id: '', outs: {} };
      expect(id).to.match(/^check[0-9a-f]{12}$/);
      expect([outs.stdout, outs.stderr]).to.deep.equal(['hello alice', 'careful']);
      expect(said).to.have.members(['hello alice', 'careful']);
      expect((await plugin.update?.(id, COMMAND, outs, inputs))?.outs.stdout).to.equal('was: hello alice');
      await plugin.delete?.(id, COMMAND, outs);
      expect(readFileSync(join(folder, 'gone'), 'utf8')).to.equal('gone\n');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('tells what a command said when it failed', async () => {
    const error = await plugin
      .create?.(COMMAND, { create: 'echo why >&2; exit 3' })
      .catch((reason: Error) => reason.message);
    expect(error).to.equal('exit status 3: running "echo why >&2; exit 3":\nwhy');
  });

  it('replaces when triggers differ, changes when anything else does', async () => {
    const olds = { create: 'true', triggers: ['1'] };
    const diff = async (news: object) => plugin.diff?.('id', COMMAND, olds, { ...olds, ...news });
    expect(await diff({})).to.deep.equal({ changes: false, replaces: [] });
    expect(await diff({ create: 'false' })).to.deep.equal({ changes: true, replaces: [] });
    expect(await diff({ triggers: [rpc.unknownValue] })).to.deep.equal({ changes: true, replaces: ['triggers'] });
  });

  it('ends a command and what it started when the engine cancels', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spoq-command-'));
    const pidFile = join(folder, 'pid');
    try {
      const running = plugin
        .create?.(COMMAND, { create: `sleep 60 & echo $! > ${pidFile}; wait` })
        .catch((reason: Error) => reason.message);
      await waitFor('the command to run', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
      const pid = Number(readFileSync(pidFile, 'utf8'));
      killAll();
      expect(await running).to.match(/^SIGTERM: running/);
      await waitFor('its child to end', () => !isRunning(pid));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('refuses other resources', async () => {
    const { plugin: both } = createCommandPlugin({}, () => {});
    const { failures } = (await both.check?.(COMMAND.replace('local:Command', 'remote:CopyFile'), {}, {})) ?? {};
    expect(failures).to.deep.equal([
      { property: '', reason: 'the stand-in knows only command:local:Command and command:remote:Command' },
    ]);
  });
});

describe('stand-in for DnsRecord', () => {
  let vendor: RunningVendor;
  before(async () => {
    vendor = await runVendor('cloudflare', (context) => createCloudflareVendor(context, { zone: 'spoq.localhost' }));
  });
  after(() => vendor.close());

  it('makes, reads, changes and removes a record; what exists it does not adopt', async () => {
    const { CLOUDFLARE_API_TOKEN: token = '', CLOUDFLARE_ZONE_ID: zoneId = '' } = vendor.vendor.credentials;
    const plugin = createCloudflarePlugin({ baseUrl: `${vendor.url}/client/v4`, token });
    const inputs = {
      zoneId,
      name: 'alice.spoq.localhost',
      type: 'A',
      content: '192.0.2.1',
      ttl: 60,
      proxied: false,
      comment: 'box-1',
    };
    const { id, outs } = (await plugin.create?.(RECORD, inputs)) ?? { id: '', outs: {} };
    expect(outs).to.deep.include(inputs);
    expect(await plugin.create?.(RECORD, inputs).catch((reason: Error) => reason.message)).to.match(
      /^Cloudflare answered 400: .*already exists/,
    );
    expect((await plugin.read?.(id, RECORD, outs))?.props).to.deep.include(inputs);
    await plugin.update?.(id, RECORD, outs, { ...inputs, ttl: 120 });
    expect((await plugin.read?.(id, RECORD, outs))?.props.ttl).to.equal(120);
    expect(await plugin.diff?.(id, RECORD, outs, { ...inputs, content: '192.0.2.2' })).to.deep.equal({
      changes: true,
      replaces: ['content'],
    });
    await plugin.delete?.(id, RECORD, outs);
    await plugin.delete?.(id, RECORD, outs);
    expect(await plugin.read?.(id, RECORD, outs)).to.deep.equal({ id: '', props: {} });
    expect((await plugin.check?.(RECORD, {}, { name: 'x' }))?.failures?.map(({ property }) => property)).to.deep.equal([
      'zoneId',
      'type',
      'ttl',
    ]);
  });
});
