import { expect } from 'chai';
import path from 'node:path';
import { send } from '../../conductor/testing/client.ts';
import { KeyList } from '../../contract/models.ts';
import { buildRelease, hostTarget, releaseName } from '../../tools/build-release.ts';
import { bootConductorMachine } from '../harness/conductor-machine.ts';
import type { ConductorMachine } from '../harness/conductor-machine.ts';
import { bootedMachines } from '../harness/machines.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const KEY = 'sk-planted-of-the-owner-9876';
const NEXT = 'sk-planted-and-the-next-5432';
const KEEP = '/usr/local/lib/spoq/keep-keys.sh';

/** Where keys lie on a box, and who can get at them there. */
describe('the model keys of a box', function () {
  this.timeout(100_000);
  let box: ConductorMachine;

  before(async function () {
    this.timeout(10 * 60_000);
    const releases = path.join(ROOT, 'dist', 'release');
    const target = hostTarget();
    await buildRelease(releases, [target], { root: ROOT, env: process.env, onProgress: () => undefined });
    const at = (program: 'conductor' | 'spoq'): string => path.join(releases, releaseName(program, target));
    box = await bootConductorMachine(bootedMachines().tree.root, { conductor: at('conductor'), spoq: at('spoq') });
    await box.surround(true);
    expect(await box.systemctl('start', 'conductor')).to.equal('0:');
  });
  after(async () => box?.close());

  async function put(key: string): Promise<number> {
    const headers = await box.authorize();
    const body = { key, check: false };
    return (await send(box.remote(), { method: 'PUT', path: '/api/keys/anthropic', headers, body })).status;
  }
  const list = async (): Promise<unknown> =>
    KeyList.parse((await box.get('/api/keys'))?.json).keys.map(({ source, last_four }) => [source, last_four]);
  const sh = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await box.run(['sh', '-c', script]);
    return `${code}: ${stdout}${stderr}`.trim();
  };

  it('are sealed, and given to the conductor when it starts', async () => {
    expect(await list()).to.deep.equal([['spoq', '-box']]);
    expect(await put(KEY)).to.equal(200);
    expect(await list()).to.deep.equal([['own', '9876']]);
    expect(await sh('stat -c "%a %U" /var/lib/spoq/keys /var/lib/spoq/keys/model-keys.cred')).to.equal(
      '0: 700 root\n600 root',
    );
    expect(await sh('ls /var/lib/spoq/keys')).to.equal('0: lock\nmodel-keys.cred');
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
    expect(await list()).to.deep.equal([['own', '9876']]);
    expect(await put(NEXT)).to.equal(200);
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
    expect(await list()).to.deep.equal([['own', '5432']]);
  });

  it('stand nowhere on the disk or in the journal, nor where other programs can read', async () => {
    expect(await put(KEY)).to.equal(200);
    expect(await sh('grep -rlF sk-planted /etc /var /home /run/systemd 2>/dev/null | sort')).to.equal('0:');
    expect(await sh('journalctl --no-pager | grep -c sk-planted')).to.equal('1: 0');
    const pid = await box.show('MainPID');
    expect(await sh(`tr '\\0' '\\n' </proc/${pid}/environ | grep -c sk-planted`)).to.equal('1: 0');
    const asSpoq = (script: string): Promise<string> =>
      sh(`setpriv --reuid spoq --regid spoq --init-groups sh -c '${script}'`);
    expect(await asSpoq('cat /run/credentials/conductor.service/model-keys')).to.include('Permission denied');
    expect(await asSpoq('cat /var/lib/spoq/keys/model-keys.cred')).to.include('Permission denied');
    expect(await sh('stat -c "%a %U:%G" /run/conductor-keys.sock')).to.equal('0: 660 root:conductor');
  });

  it('that cannot be sealed are readable by root alone', async () => {
    await sh(`cp ${KEEP} /srv/keep-keys.sh && sed -i 's#systemd-creds encrypt#false#' ${KEEP}`);
    expect(await put(NEXT)).to.equal(200);
    expect(await sh('stat -c "%a %U" /var/lib/spoq/keys/model-keys && ls /var/lib/spoq/keys')).to.equal(
      '0: 600 root\nlock\nmodel-keys',
    );
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
    expect(await list()).to.deep.equal([['own', '5432']]);
    await sh(`cp /srv/keep-keys.sh ${KEEP}`);
    expect(await put(KEY)).to.equal(200);
    expect(await sh('ls /var/lib/spoq/keys')).to.equal('0: lock\nmodel-keys.cred');
  });

  it('are refused where root cannot keep them, and the old one is used', async () => {
    await sh(`sed -i '3i exit 1' ${KEEP}`);
    expect(await put(NEXT)).to.equal(500);
    await sh(`cp /srv/keep-keys.sh ${KEEP}`);
    expect(await list()).to.deep.equal([['own', '9876']]);
    expect(await sh(`head -c 70000 /dev/zero | ${KEEP} keep; ${KEEP} keep </dev/null`)).to.match(
      /^1: keep-keys: that is no document/,
    );
  });

  it('are carried as they are, and gone when they are taken away', async () => {
    expect(await sh(`${KEEP} show | ${KEEP} keep`)).to.equal('0: kept');
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
    expect(await list()).to.deep.equal([['own', '9876']]);
    const headers = await box.authorize();
    const removed = await send(box.remote(), { method: 'DELETE', path: '/api/keys/anthropic', headers });
    expect(removed.status).to.equal(200);
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
    expect(await list()).to.deep.equal([['spoq', '-box']]);
  });
});
