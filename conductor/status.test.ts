import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { BoxStatus } from '../contract/conductor.ts';
import { createFindCertificate } from './certificate.ts';
import { createFindVersions } from './system.ts';
import { askAll, openAsk, readConversation, send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { beginAnthropic, endAnthropic, startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor } from './testing/start-conductor.ts';

describe('GET /api/status', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let folder: string;

  before(async () => {
    plane = await startControlPlane();
    model = await startModelServer();
    folder = await mkdtemp(join(tmpdir(), 'status-'));
  });
  after(async () => {
    await Promise.all([plane.close(), model.close(), rm(folder, { recursive: true })]);
  });

  async function writeProgram(version: string): Promise<string> {
    const file = join(folder, 'spoq');
    await writeFile(file, `#!/bin/sh\necho ${version}\n`);
    await chmod(file, 0o755);
    return file;
  }

  it('tells versions, budget and what is at work', async () => {
    const spoq = await writeProgram('1.2.3');
    const { promise: enough, resolve: go } = Promise.withResolvers<void>();
    const conductor = await startConductor({ plane, model: { baseUrl: model.url }, spoq, budget: { day: 5e6 } });
    const read = async (): Promise<BoxStatus> =>
      BoxStatus.parse((await send(conductor.local, { path: '/api/status' })).json);
    try {
      await askAll(conductor.local, { question: 'Why?' });
      expect(await read()).to.deep.include({ running: 0, work: [], certificate: null });
      model.speak = async (res) => {
        beginAnthropic(res);
        await enough;
        endAnthropic(res);
      };
      const asking = await openAsk(conductor.local, { question: 'What is at work?' });
      const conversation = await readConversation(asking);
      const status = await read();
      expect(status.versions).to.deep.include({ conductor: '0.0.0-test', spoq: '1.2.3' });
      expect(status.budget?.day).to.deep.include({ limit_usd: 5, spent_usd: 0.000094 });
      const [work, ...others] = status.work ?? [];
      expect(others).to.deep.equal([]);
      expect({ ...work, updated_at: '' }).to.deep.equal({
        id: conversation,
        title: 'What is at work?',
        state: 'running',
        last_kind: 'ask',
        updated_at: '',
      });
      expect(status.running).to.equal(1);
      go();
      while ((await asking.next()) !== undefined);
    } finally {
      await conductor.close();
    }
  });

  it('answers also where its database cannot be read', async () => {
    const stateDir = join(folder, 'no-database');
    await mkdir(join(stateDir, 'conductor.db'), { recursive: true });
    const conductor = await startConductor({ plane, stateDir, recover: false });
    try {
      const status = BoxStatus.parse((await send(conductor.local, { path: '/api/status' })).json);
      expect([status.budget, status.work]).to.deep.equal([undefined, undefined]);
      expect(status.versions?.conductor).to.equal('0.0.0-test');
    } finally {
      await conductor.close();
    }
  });

  it('asks spoq again when it is another one, and does without', async () => {
    const osRelease = join(folder, 'os-release');
    await writeFile(osRelease, 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n');
    const find = createFindVersions(await writeProgram('1.2.3'), osRelease);
    expect(await find()).to.deep.include({ spoq: '1.2.3', system: 'Debian GNU/Linux 12 (bookworm)' });
    await writeProgram('1.2.34');
    expect(await find()).to.deep.include({ spoq: '1.2.34' });
    const none = createFindVersions(join(folder, 'nowhere'), join(folder, 'nowhere'));
    expect(await none()).to.deep.include({ spoq: null, system: null });
    await writeFile(join(folder, 'broken'), 'not a program');
    expect(await createFindVersions(join(folder, 'broken'), osRelease)()).to.deep.include({ spoq: null });
  });

  it('looks at the certificate by the name of the box, and remembers it', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/O=Spoq test/CN=alice.spoq.dev', '-addext', 'subjectAltName=DNS:alice.spoq.dev'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '30',
        ...subject,
      ].concat(['-keyout', key, '-out', cert]),
      { stdio: 'ignore' },
    );
    const names: string[] = [];
    const server = createServer({
      key: readFileSync(key),
      cert: readFileSync(cert),
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    let now = Date.now();
    const { port } = server.address() as AddressInfo;
    const find = createFindCertificate('alice.spoq.dev', () => now, port);
    const found = await find();
    expect({ ...found, ends_at: '' }).to.deep.equal({ name: 'alice.spoq.dev', issuer: 'Spoq test', ends_at: '' });
    expect((Date.parse(found?.ends_at ?? '') - now) / 86_400_000).to.be.within(29, 30.1);
    await find();
    expect(names).to.deep.equal(['alice.spoq.dev']);
    await new Promise((resolve) => server.close(resolve));
    now += 11 * 60_000;
    expect(await find()).to.equal(null);
  });

  it('does not wait for a front door that is silent', async () => {
    const { createServer: createSilent } = await import('node:net');
    const silent = createSilent(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const began = performance.now();
    expect(await createFindCertificate('a.test', Date.now, (silent.address() as AddressInfo).port)()).to.equal(null);
    expect(performance.now() - began).to.be.within(900, 5_000);
    silent.close();
  });
});
