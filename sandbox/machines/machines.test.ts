import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { isRunning } from '../../test/harness/processes.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { openStore } from '../state.ts';
import { CONDUCTOR, FILES, makeFolder, makePostInstall, makeUserData } from '../testing/fixtures.ts';
import { parseFirstBoot } from './first-boot.ts';
import { createMachines, type Machines, type MachinesState } from './machines.ts';
import { createProcessKind } from './process-machine.ts';

const log = pino({ level: 'silent' });
const [CONFIG, ENV, MARKER] = FILES;

/** Asks a conductor through its socket. */
function ask(socket: string, path: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: socket, path }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += String(chunk);
      });
      res.on('end', () => resolve(JSON.parse(text) as Record<string, unknown>));
    });
    req.on('error', reject);
    req.end();
  });
}

describe('the files of a first boot', () => {
  const expected = FILES.map(({ path, mode, content }) => ({
    path,
    mode: Number.parseInt(mode, 8),
    content: Buffer.from(content),
  }));

  it('are read out of user-data', () => {
    expect(parseFirstBoot({ kind: 'user-data', text: makeUserData() })).to.deep.equal(expected);
  });

  it('are read out of a post-install script', () => {
    expect(parseFirstBoot({ kind: 'post-install', text: makePostInstall() })).to.deep.equal(expected);
  });

  it('are refused with a reason', () => {
    expect(() => parseFirstBoot({ kind: 'user-data', text: '#!/bin/sh\n' })).to.throw('#cloud-config');
    expect(() => parseFirstBoot({ kind: 'user-data', text: '#cloud-config\nuser: a\n' })).to.throw('not JSON');
    const relative = '#cloud-config\n{"write_files":[{"path":"etc/x"}]}';
    expect(() => parseFirstBoot({ kind: 'user-data', text: relative })).to.throw('/');
  });
});

describe('process machines', function () {
  this.timeout(60_000); // starts processes, perhaps on a busy computer
  let place: ReturnType<typeof makeFolder>;
  let machines: Machines;
  const open = (): Machines =>
    createMachines({
      folder: join(place.folder, 'machines'),
      store: openStore<MachinesState>(join(place.folder, 'machines.json'), () => ({ records: [] })),
      kind: createProcessKind(CONDUCTOR),
      log,
    });
  beforeEach(() => {
    place = makeFolder();
    machines = open();
  });
  afterEach(async () => {
    await machines.close();
    place.remove();
  });

  const socketOf = (ipv4: string): Promise<string> =>
    waitFor('the conductor to listen', () => {
      const front = machines.findFront(ipv4);
      return front && 'socketPath' in front ? front.socketPath : undefined;
    });
  const make = (): string => {
    const { ipv4 } = machines.create('contabo-1', 'contabo', 'box-1');
    machines.reinstall('contabo-1', { kind: 'user-data', text: makeUserData() });
    machines.power('contabo-1', true);
    return ipv4;
  };
  const root = (): string => machines.list()[0]?.root ?? '';

  it('write the files and run the conductor with nothing but the file of variables', async () => {
    const ipv4 = make();
    const answer = await ask(await socketOf(ipv4), '/health');
    expect(answer).to.deep.include({ config: CONFIG.content, environment: ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'] });
    expect(readFileSync(join(root(), ENV.path), 'utf8')).to.equal(ENV.content);
    expect(statSync(join(root(), ENV.path)).mode & 0o777).to.equal(0o600);
    const marker = JSON.parse(readFileSync(join(root(), MARKER.path), 'utf8')) as { conductor: string };
    expect(((await (await fetch(marker.conductor)).json()) as { pid: number }).pid).to.equal(answer['pid']);
    const [view] = machines.list();
    expect(view).to.deep.include({
      id: 'contabo-1',
      vendor: 'contabo',
      name: 'box-1',
      kind: 'process',
      status: 'running',
    });
    expect(view?.console.join('\n')).to.include('3 files written').and.to.include('"msg":"listening"');
    expect(view?.leaves_out).to.have.length.greaterThan(3);
    expect(view?.ipv4).to.equal('198.51.100.10');
  });

  it('keep a path that climbs inside the folder', async () => {
    machines.create('contabo-1', 'contabo', 'box-1');
    const text = makeUserData([{ path: '/../../../escaped', mode: '0644', content: 'x' }]);
    machines.reinstall('contabo-1', { kind: 'user-data', text });
    await machines.settled();
    expect(readdirSync(root())).to.deep.equal(['escaped']);
  });

  it('start a conductor that died again, and say so', async () => {
    const socket = await socketOf(make());
    const { pid } = await ask(socket, '/');
    await ask(socket, '/crash').catch(() => undefined);
    const second = await waitFor('another conductor', async () => {
      const answer = await ask(socket, '/').catch(() => undefined);
      return answer && answer['pid'] !== pid ? answer : undefined;
    });
    expect(isRunning(Number(pid))).to.equal(false);
    expect(isRunning(Number(second['pid']))).to.equal(true);
    expect(machines.list()[0]?.console.join('\n')).to.include('conductor ended (exit code 3); starting again');
  });

  it('are off without a process, and on again with the same disk and address', async () => {
    const ipv4 = make();
    const { pid } = await ask(await socketOf(ipv4), '/');
    machines.power('contabo-1', false);
    await machines.settled();
    expect([isRunning(Number(pid)), machines.findFront(ipv4), machines.list()[0]?.status]).to.deep.equal([
      false,
      null,
      'off',
    ]);
    machines.power('contabo-1', true);
    expect((await ask(await socketOf(ipv4), '/'))['config']).to.equal(CONFIG.content);
  });

  it('keep nothing over a reinstall without a document', async () => {
    const ipv4 = make();
    const { pid } = await ask(await socketOf(ipv4), '/');
    machines.reinstall('contabo-1', undefined);
    machines.power('contabo-1', true);
    await machines.settled();
    expect([isRunning(Number(pid)), machines.findFront(ipv4), machines.list()[0]?.status]).to.deep.equal([
      false,
      null,
      'running',
    ]);
    expect(readdirSync(join(root(), '..'), { recursive: true })).to.deep.equal(['root']);
    expect(machines.list()[0]?.ipv4).to.equal(ipv4);
  });

  it('are bare when the document can not be read, and the console says why', async () => {
    machines.create('contabo-1', 'contabo', 'box-1');
    machines.reinstall('contabo-1', { kind: 'user-data', text: 'echo hello' });
    machines.power('contabo-1', true);
    await machines.settled();
    expect(machines.list()[0]?.console.join('\n')).to.include('first boot failed: The user-data does not begin');
  });

  it('go with their folder and free their address when destroyed', async () => {
    const ipv4 = make();
    await socketOf(ipv4);
    machines.destroy('contabo-1');
    await machines.settled();
    expect([machines.list(), machines.findFront(ipv4)]).to.deep.equal([[], undefined]);
    expect(readdirSync(join(place.folder, 'machines'))).to.deep.equal([]);
    expect(machines.create('contabo-2', 'contabo', 'box-2').ipv4).to.equal(ipv4);
  });

  it('that were on are on again after a restart, and end with it', async () => {
    const ipv4 = make();
    const { pid } = await ask(await socketOf(ipv4), '/');
    await machines.close();
    expect(isRunning(Number(pid))).to.equal(false);
    machines = open();
    expect((await ask(await socketOf(ipv4), '/'))['config']).to.equal(CONFIG.content);
  });

  it('finish an installation that a killed sandbox began', async () => {
    machines.create('contabo-1', 'contabo', 'box-1');
    machines.reinstall('contabo-1', { kind: 'user-data', text: makeUserData() });
    machines.power('contabo-1', true);
    // What a kill at this moment leaves: the plan, and an empty disk.
    const plan = JSON.parse(readFileSync(join(place.folder, 'machines.json'), 'utf8')) as MachinesState;
    expect(plan.records[0]).to.include({ powered: true }).and.to.have.property('installing');
    await machines.close();
    place.remove();
    openStore<MachinesState>(join(place.folder, 'machines.json'), () => plan);
    machines = open();
    expect((await ask(await socketOf('198.51.100.10'), '/'))['config']).to.equal(CONFIG.content);
    expect(readFileSync(join(place.folder, 'machines.json'), 'utf8')).not.to.include('cloud-config');
  });

  it('end and remove what a killed sandbox was removing', async () => {
    const { pid } = await ask(await socketOf(make()), '/');
    const former = machines; // not closed: as if it had been killed after it forgot the record
    writeFileSync(join(place.folder, 'machines.json'), '{"records":[]}');
    machines = open();
    await machines.settled();
    await waitFor('the process to go', () => !isRunning(Number(pid)));
    expect(readdirSync(join(place.folder, 'machines'))).to.deep.equal([]);
    await former.close();
  });

  it('end what a killed sandbox left running', async () => {
    const ipv4 = make();
    const { pid } = await ask(await socketOf(ipv4), '/');
    const former = machines; // not closed: as if it had been killed
    machines = open();
    const { pid: next } = await ask(await socketOf(ipv4), '/');
    await waitFor('the former to go', () => !isRunning(Number(pid)));
    expect(isRunning(Number(next))).to.equal(true);
    await former.close();
  });
});
