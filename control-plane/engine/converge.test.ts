import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SpoqError } from '../../contract/errors.ts';
import { parseFirstBoot } from '../../sandbox/machines/first-boot.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import { loadTemplates } from '../../stacks/templates.ts';
import type { EngineEvent } from './engine.ts';
import { createEngineBench, type EngineBench, hasEngine, SECRETS } from './testing/bench.ts';
import { createScriptedSsh, type ScriptedSsh } from './testing/scripted-ssh.ts';

const CRYPT = '$6$another$Crypt.hash.of.another.password';
const DIGESTS = {
  'conductor-linux-amd64': '1'.repeat(64),
  'spoq-linux-amd64': '2'.repeat(64),
  'spoq-darwin-arm64': '3'.repeat(64),
};

describe('converging a box over SSH', function () {
  this.timeout(90_000);
  let bench: EngineBench;
  let ssh: ScriptedSsh;
  let spec: BoxSpec;

  before(async function () {
    if (!hasEngine()) return this.skip();
    ssh = await createScriptedSsh();
    bench = await createEngineBench({ SPOQ_SANDBOX_SSH: `127.0.0.1:${ssh.port}` });
    const releases = { base_url: 'https://spoq.dev/releases/1.0.0', sha256: DIGESTS };
    spec = bench.createSpec('contabo', { converge: 'ssh', releases });
    ssh.hostKeyOf = () => readHostKey(bench);
  });
  after(async () => {
    if (bench !== undefined) await bench.engine.destroy(spec.stack, ['contabo']);
    await bench?.close();
    await ssh?.close();
  });
  beforeEach(() => {
    ssh.runs.length = 0;
    ssh.answer = { code: 0, lines: [] };
  });

  it('is the last step of a new box, told with the rest', async () => {
    expect((await bench.engine.preview(spec)).summary).to.include(
      'The software and password of the box (box-converge) would be made.',
    );
    const events: EngineEvent[] = [];
    await bench.engine.up(spec, { onEvent: (event) => events.push(event), isFirst: true });
    const box = events.filter(({ step }) => step === 'box').map(({ state, message }) => `${state}: ${message}`);
    expect([box[0], box.at(-1)]).to.deep.equal(['started: Starting your box', 'done: Your box answers']);
    expect(box.filter((line) => line.startsWith('done'))).to.have.length(1);
    const [run, ...others] = ssh.runs;
    expect(others).to.deep.equal([]);
    expect(run).to.deep.include({ user: 'root', line: 'exec bash -s' });
    expect(run?.stdin.split('\n').slice(0, 4)).to.deep.equal([
      `SPOQ_PASSWORD_CRYPT='${SECRETS.password_crypt}'`,
      "SPOQ_RELEASE_URL='https://spoq.dev/releases/1.0.0'",
      `SPOQ_DIGESTS='${'1'.repeat(64)}  conductor-linux-amd64`,
      `${'2'.repeat(64)}  spoq-linux-amd64'`,
    ]);
    expect(run?.stdin.endsWith(loadTemplates()['converge.sh'])).to.equal(true);
    expect(run?.key, "it comes with the stack's own key").to.equal(readControlKey(bench));
    const state = await exportState(bench, spec);
    for (const secret of [SECRETS.password_crypt, 'PRIVATE KEY', 'flock'])
      expect(state.includes(secret), secret).to.equal(false);
    expect((await bench.engine.preview(spec)).changed).to.equal(false);
  });

  it('runs again for another password or release, and touches nothing else', async () => {
    const changed: BoxSpec = { ...spec, password_crypt: CRYPT, region: 'UK' };
    expect((await bench.engine.preview({ ...spec, password_crypt: CRYPT })).summary).to.deep.equal([
      'The software and password of the box (box-converge) would be changed in place.',
    ]);
    const machines = await bench.listLive(spec.stack);
    const events: EngineEvent[] = [];
    await bench.engine.converge(changed, { onEvent: (event) => events.push(event) });
    expect(ssh.runs.map(({ stdin }) => stdin.split('\n')[0])).to.deep.equal([`SPOQ_PASSWORD_CRYPT='${CRYPT}'`]);
    expect(await bench.listLive(spec.stack), 'whatever else differs').to.deep.equal(machines);
    expect(events.filter(({ state }) => state === 'started').map(({ step }) => step)).to.deep.equal(['box']);
    await bench.engine.converge(changed);
    expect(ssh.runs, 'what is as it should be is not asked again').to.have.length(1);
    await bench.engine.converge(spec);
  });

  it('runs again on a machine that was installed anew, which has been told nothing', async () => {
    await bench.engine.up({ ...spec, operation: { name: 'rebuild', number: 1 } });
    expect(ssh.runs).to.have.length(1);
    expect((await bench.engine.preview(spec)).changed).to.equal(false);
    const next = await bench.engine.preview({ ...spec, operation: { name: 'rebuild', number: 2 } });
    expect(next.summary).to.include('The software and password of the box (box-converge) would be made again.');
  });

  it('tells the last line of what failed, no secret, and tries it again', async () => {
    const changed: BoxSpec = { ...spec, password_crypt: CRYPT };
    ssh.answer = {
      code: 1,
      lines: ['Downloading it', `echo ${CRYPT}`, 'The new conductor was not well and was taken back.'],
    };
    const error = await failureOf(bench.engine.converge(changed));
    expect([error.code, error.detail]).to.deep.equal([
      'engine_failed',
      'The new conductor was not well and was taken back.',
    ]);
    expect(String((error.cause as Error).message))
      .to.include('Downloading it')
      .and.not.include(CRYPT);
    ssh.answer = { code: 0, lines: [] };
    await bench.engine.converge(changed);
    expect(ssh.runs).to.have.length(2);
    await bench.engine.converge(spec);
  });

  it('speaks to nobody but the machine that has the host key of the stack', async () => {
    ssh.hostKeyOf = () => undefined;
    const error = await failureOf(bench.engine.converge({ ...spec, password_crypt: CRYPT }));
    expect(error.code).to.equal('box_unreachable');
    expect(error.detail).to.match(
      /^The box could not be reached over SSH \(.*denied.*\)\. Nothing was changed on it\.$/,
    );
    expect(ssh.runs).to.deep.equal([]);
    ssh.hostKeyOf = () => readHostKey(bench);
  });

  it('is refused for machines that have no SSH server', async () => {
    expect((await failureOf(bench.engine.converge({ ...spec, converge: 'none' }))).detail).to.equal(
      'This machine has no SSH server to change it by.',
    );
  });
});

/** What first boot would have written on the machine that was ordered last. */
function readFile(bench: EngineBench, path: string): string {
  const order = bench.sandbox.requests
    .list()
    .findLast(
      ({ vendor, method, path: url }) =>
        vendor === 'contabo' && method === 'POST' && url.endsWith('/compute/instances'),
    );
  const { userData } = JSON.parse(String(order?.request_body)) as { userData: string };
  const files = parseFirstBoot({ kind: 'user-data', text: userData });
  return files.find((file) => file.path === path)?.content.toString() ?? '';
}
const readHostKey = (bench: EngineBench): string => readFile(bench, '/etc/ssh/spoq_host_ed25519_key');
const readControlKey = (bench: EngineBench): string =>
  /AAAA\S+/.exec(readFile(bench, '/etc/ssh/spoq_control_keys'))?.[0] ?? '';

/** The stack's state as the engine writes it down. */
async function exportState(bench: EngineBench, { stack }: BoxSpec): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'spoq-export-'));
  try {
    await writeFile(join(cwd, 'Pulumi.yaml'), 'name: spoq\nruntime: nodejs\n');
    const options = { cwd, env: bench.env, maxBuffer: 1 << 24 };
    return (await promisify(execFile)('pulumi', ['stack', 'export', '--stack', stack], options)).stdout;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

async function failureOf(promise: Promise<unknown>): Promise<SpoqError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpoqError)) throw new Error(`no SpoqError but ${String(error)}`, { cause: error });
  return error;
}
