import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { issueAccessToken } from '../../control-plane/commands/issue-access-token.ts';
import { sendSteerJob } from '../../control-plane/commands/write-life.ts';
import { updateSubscription } from '../../control-plane/db/subscriptions.ts';
import { findBox, type UserVpsRow } from '../../control-plane/db/user-vps.ts';
import type { Preview } from '../../control-plane/engine/engine.ts';
import { runOperator } from '../../control-plane/operator/run-operator.ts';
import { findFamily, killProcesses } from '../../tools/process-table.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';
import { openFrontDoor, type FrontDoor } from '../harness/front-door.ts';
import { bootedMachines, lookInsideAt } from '../harness/machines.ts';
import { openOperatorSide, type OperatorSide } from '../harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from '../harness/spoq.ts';
import { runSsh } from '../harness/ssh.ts';
import { waitFor } from '../harness/wait.ts';

const LOGIN = 'mover';
const PASSWORD = 'tides-at-Brest-42!';
const MOVE_MS = 4 * 60_000;

/** Everything that must arrive, said in a way that can be compared. */
const LEAVE_THINGS = `
set -e
cd /home/spoq
install -o spoq -g spoq -m 0600 /dev/null secret && echo 'for me alone' >secret
install -d -o spoq -g spoq 'project é' && echo work >'project é/a file' && ln -s 'a file' 'project é/link' && ln 'project é/a file' 'project é/same'
truncate -s 8M sparse && touch -d 2020-02-02 old && chown -h spoq:spoq sparse old 'project é'/*
install -m 0755 /dev/null /opt/tool && echo mine >/usr/local/bin/mine && mkdir -p /srv/site && echo page >/srv/site/index
echo '5 4 * * * true' | crontab -u spoq -
echo 'option = mine' >/etc/mine.conf`;
const LIST_THINGS = `
cd / && find home/spoq opt srv usr/local/bin/mine var/spool/cron/crontabs -not -name .bash_history -not -name .ticks -printf '%M %u:%g %n %s %p %l' \\( -type d -printf '\\n' -o -printf ' %T@\\n' \\) | sort
crontab -u spoq -l; cat home/spoq/secret; cmp home/spoq/project*/a\\ file home/spoq/project*/same && echo same`;

describe('a box that moves', function () {
  this.timeout(MOVE_MS);
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-move-'));
  let run: TemporaryRun;
  let side: OperatorSide;
  let door: FrontDoor;
  let box: UserVpsRow;

  before(async function () {
    this.timeout(START_TIMEOUT_MS + MOVE_MS);
    run = await startTestSpoq({}, bootedMachines());
    side = await openOperatorSide(run);
    door = openFrontDoor(run);
    const { id } = await side.requestBox(await side.subscribe(LOGIN), { provider: 'contabo' });
    box = await side.awaitBox(id, ['ready', 'failed'], MOVE_MS);
    expect(box.failure).to.equal(null);
    await inside(LEAVE_THINGS);
  });
  after(async () => {
    await side?.close();
    await run?.stop();
    rmSync(folder, { recursive: true });
  });
  afterEach(() => side.clearFaults());

  const inside = (script: string) => lookInsideAt(run, box.ip_address, script);
  const reload = async (): Promise<void> => {
    box = (await findBox(side.deps.db, box.id)) ?? box;
  };

  async function operate(...argv: string[]): Promise<{ code: number; out: string; said: string }> {
    const [out, said]: string[][] = [[], []];
    const io = { out: (line: string) => void out?.push(line), say: (line: string) => void said?.push(line) };
    const signal = new AbortController().signal;
    const code = await runOperator([...argv, '--json'], { env: run.environment, ...io, signal });
    return { code, out: out?.join('') ?? '', said: said?.join('\n') ?? '' };
  }
  /** Number and issuer of the certificate that the box shows. */
  async function readCertificate(): Promise<string> {
    const ca = readFileSync(run.environment['NODE_EXTRA_CA_CERTS'] ?? '');
    const socket = connect({ host: box.ip_address ?? '', port: 443, servername: box.hostname, ca });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }
  const logIn = async (command: string) => {
    const hostKey = await inside('cat /etc/ssh/spoq_host_ed25519_key.pub');
    const host = { address: box.ip_address ?? '', hostKey };
    return runSsh(folder, host, { password: PASSWORD, command: [command] });
  };
  /** What the box is to its owner: by its name, with a token, and over SSH. */
  async function serves(): Promise<void> {
    expect(await side.lookUp(box.hostname)).to.deep.equal([box.ip_address]);
    const { token } = await issueAccessToken(side.deps, { id: box.user_id }, box, randomUUID());
    expect((await door.open(box.hostname, '/api/status', { token })).statusCode).to.equal(200);
    expect(await logIn('id -un')).to.deep.include({ code: 0, stdout: 'spoq\n' });
    expect(await inside('systemctl is-active conductor caddy cron')).to.equal('active\nactive\nactive');
  }
  const listMachines = async (): Promise<string[]> => {
    const rows = await side.deps.db('machines').where('user_vps_id', box.id).orderBy('created_at');
    return rows.map(({ provider, region, status }) => `${provider} ${region} ${status}`);
  };
  const listLive = async (provider: UserVpsRow['provider']): Promise<string[]> =>
    (await side.instances(provider)).filter(({ ends_at }) => ends_at === null).map(({ name }) => name);

  it('is told in plain words what that means, before anything is done', async () => {
    const { code, out, said } = await operate('preview', LOGIN, '--move', '--to', 'hostinger/fra');
    expect(code, said).to.equal(0);
    const { summary } = JSON.parse(out) as Preview;
    const text = summary.join('\n');
    expect(text).to.include('at Hostinger in Frankfurt, Germany (Basic: 4 virtual processors, 8 GB of memory)');
    expect(text).to.match(/Lost: .*installed with apt/);
    expect(text).to.include('The machine (box-instance-1) would be made.');
    expect(text).to.include('The copy of what is on the box (box-carry) would be made.');
    expect(text).to.match(/The DNS record \(box-record\) would be .* \(content\)/);
    expect(text).not.to.match(/removed|everything on the disk/);
    const wrong = await operate('move', LOGIN, '--yes', '--to', 'contabo/Atlantis');
    expect(wrong.said).to.match(/to is none of contabo\/EU, .*\. Nothing was done/);
    expect((await operate('move', LOGIN, '--yes')).said).to.match(/is at contabo\/EU already/);
  });

  it('is at another vendor then, with all that was on it, and has left nothing behind', async () => {
    const [before, things, certificate] = [box, await inside(LIST_THINGS), await readCertificate()];
    // Somebody who goes on to work until nobody can any more.
    await inside(
      `runuser -u spoq -- sh -c '(while :; do date +%s%3N >>/home/spoq/.ticks; sleep 0.05; done) >/dev/null 2>&1 &'`,
    );
    const moved = await operate('move', LOGIN, '--to', 'hostinger/fra', '--yes');
    expect(moved.code, moved.said).to.equal(0);
    await reload();
    expect(box).to.deep.include({ provider: 'hostinger', operation: null, move: null, machine: 1 });
    expect(box.ip_address).not.to.equal(before.ip_address);
    expect(box.ssh_host_key_fingerprint).to.equal(before.ssh_host_key_fingerprint);
    const files = await side.deps
      .db('vps_events')
      .where({ user_vps_id: box.id, step: 'files', message: 'Copying your files' });
    const switched = Math.max(...files.map(({ at }: { at: Date }) => at.getTime()));
    expect(files, 'once while it serves, once when it rests').to.have.length.above(1);
    const last = Number(await inside('tail -n 1 /home/spoq/.ticks && rm /home/spoq/.ticks'));
    expect(last, 'what was written after everything had been copied').to.be.above(switched);
    expect(await inside(LIST_THINGS)).to.equal(things);
    expect(await readCertificate(), 'the certificate').to.equal(certificate);
    expect(await inside('cd ~root/before-the-move && ls && tar -xzO -f etc.tar.gz etc/mine.conf')).to.equal(
      'etc.tar.gz\npackages.txt\noption = mine',
    );
    await serves();
    expect(await listLive('contabo')).to.deep.equal([]);
    expect(await listLive('hostinger')).to.deep.equal([`box-${box.id}-1`]);
    expect(await listMachines()).to.deep.equal(['contabo EU released', 'hostinger fra owned']);
    const { out } = await operate('preview', LOGIN);
    expect(JSON.parse(out)).to.deep.include({ changed: false });
  });

  it('stays where it is when the new machine does not come up', async () => {
    const before = box;
    await side.addFault({ vendor: 'contabo', method: 'POST', path: 'instances$', becomes: 'error' });
    const { code, said } = await operate('move', LOGIN, '--to', 'contabo/UK', '--yes');
    expect(code).to.equal(1);
    expect(said).to.match(/Contabo could not start the machine .* The box is where it was, and serves there\./);
    await reload();
    expect(box).to.deep.include({ ip_address: before.ip_address, machine: 1, move: null, operation: 'move' });
    await serves();
    expect(await listLive('contabo')).to.deep.equal([]);
  });

  it('goes nowhere without a disk that is mounted in it', async () => {
    const before = box;
    await inside('mkdir -p /srv/disk && mount -t tmpfs none /srv/disk');
    const { code, said } = await operate('move', LOGIN, '--to', 'contabo/UK', '--yes');
    await inside('umount /srv/disk && rmdir /srv/disk');
    expect(code, said).to.equal(1);
    expect(said).to.match(/\/srv\/disk is mounted from elsewhere .* The box is where it was, and serves there\./);
    await reload();
    expect(box).to.deep.include({ ip_address: before.ip_address, move: null });
    await serves();
    expect(await listLive('contabo')).to.deep.equal([]);
  });

  it('comes back when its name cannot be changed, with what it has', async () => {
    const before = box;
    for (const method of ['POST', 'PUT', 'PATCH'])
      await side.addFault({ vendor: 'cloudflare', method, path: 'dns_records', status: 400 });
    const { code, said } = await operate('move', LOGIN, '--to', 'contabo/UK', '--yes');
    expect(code, said).to.equal(1);
    expect(said).to.include('The box is where it was, and serves there.');
    await reload();
    expect(box).to.deep.include({ ip_address: before.ip_address, machine: 1, move: null, operation: 'move' });
    await serves();
    expect(await inside('cat /home/spoq/secret')).to.equal('for me alone');
    expect(await listLive('contabo')).to.deep.equal([]);
  });

  it('arrives though worker and engine are killed on the way, once in each half', async () => {
    const things = await inside(LIST_THINGS);
    const moving = operate('move', LOGIN, '--to', 'contabo/UK', '--yes');
    for (const stage of ['copy', 'switch']) {
      const isThere = async (): Promise<boolean> => {
        const events = await side.deps.db('vps_events').where({ user_vps_id: box.id, step: 'files' }).orderBy('seq');
        const row = await findBox(side.deps.db, box.id);
        return row?.move?.stage === stage && events.length > 0 && findEngines().length > 0;
      };
      await waitFor(`the stage ${stage}`, isThere, MOVE_MS);
      const victims = findFamily(run.worker().pid).filter(
        ({ pid, name }) => pid === run.worker().pid || name === 'pulumi',
      );
      killProcesses(victims);
      await run.restartWorker();
    }
    const { code, said } = await moving;
    expect(code, said).to.equal(0);
    await reload();
    expect(box).to.deep.include({ provider: 'contabo', region: 'UK', plan: 'basic', operation: null, move: null });
    expect(await inside(LIST_THINGS)).to.equal(things);
    await serves();
    expect(await listLive('hostinger')).to.deep.equal([]);
    expect(await listLive('contabo')).to.deep.equal([`box-${box.id}-${box.machine}`]);
  });

  it('is brought to the size of another plan when its owner changes that', async () => {
    const things = await inside(LIST_THINGS);
    const { deps } = side;
    // As if Stripe had said so.
    await deps.db.transaction(async (tx) => {
      await updateSubscription(tx, box.user_id, { plan: 'plus' }, deps.now());
      await sendSteerJob(deps, tx, box.user_id);
    });
    const isBigger = async (): Promise<boolean> => {
      await reload();
      return box.operation_failure !== null || (box.plan === 'plus' && box.operation === null);
    };
    await waitFor('the bigger machine', isBigger, MOVE_MS);
    expect(box).to.deep.include({ region: 'UK', plan: 'plus', operation_failure: null, move: null });
    expect(await inside(LIST_THINGS)).to.equal(things);
    await serves();
    expect(await listLive('contabo')).to.deep.equal([`box-${box.id}-${box.machine}`]);
  });

  const findEngines = () => findFamily(run.worker().pid).filter(({ name }) => name === 'pulumi');
});
