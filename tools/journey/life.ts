import { setTimeout as sleep } from 'node:timers/promises';
import { buildVersion } from '../next-release.ts';
import { toText } from './html.ts';
import { findForm } from './person.ts';
import { connectBySsh } from './phone.ts';
import { PASSWORD } from './signup.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';
import { getFromBox, readBox, type World } from './world.ts';

const NEXT_VERSION = '0.1.1-journey';
const ROLLOUT_MS = 5 * 60_000;
const OPERATION_MS = 60_000;
const NEXT_PASSWORD = 'neap tides in 2032 too!';

async function operate(world: World, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await world.operator([...args, '--json']);
  check(code === 0, `operator ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

async function readVersion(world: World): Promise<string> {
  const { url } = await readBox(world);
  const { status, text } = await getFromBox(`${url}/health`, world.run.environment['NODE_EXTRA_CA_CERTS']);
  check(status === 200, `${url}/health answered ${status}: ${text}`);
  return (JSON.parse(text) as { version: string }).version;
}

/** What befalls a box in the years that it lives. */
export const LIFE: readonly Step<World>[] = [
  {
    name: 'restart',
    title: 'Restart the machine',
    async run(world) {
      const before = await readBox(world);
      const { client } = await connectBySsh(world);
      await client.ssh({ password: PASSWORD }, 'echo kept > note');
      await operate(world, 'restart', world.login, '--yes');
      const version = await readVersion(world);
      const { client: again } = await connectBySsh(world); // and shows the same host key
      const { stdout } = await again.ssh(
        { password: PASSWORD },
        'cat note; systemctl is-active conductor caddy ssh ufw',
      );
      check(stdout === 'kept\nactive\nactive\nactive\nactive\n', `after the restart: ${stdout}`);
      const after = await readBox(world);
      check(after.ip_address === before.ip_address, `the address is ${after.ip_address} now`);
      return `conductor ${version} serves again, files kept`;
    },
  },
  {
    name: 'upgrade',
    title: 'A new release reaches the box',
    async run(world) {
      const releasesDir = world.run.environment['RELEASES_DIR'] ?? '';
      const before = await readVersion(world);
      await buildVersion({ root: world.root, releasesDir, version: NEXT_VERSION, env: world.run.environment });
      const answer = world.startSpoq(['ask', 'What is a rollout?']);
      await answer.waitFor(/\d+ files?, .*withheld/);
      await operate(world, 'rollout', 'start', '--version', NEXT_VERSION, '--wave', '100%', '--yes');
      for (const until = Date.now() + ROLLOUT_MS; ; await sleep(500)) {
        check(Date.now() < until, `the rollout has not ended after ${ROLLOUT_MS / 60_000} minutes`);
        const { state, boxes } = (await operate(world, 'rollout', 'status')) as { state: string; boxes: unknown };
        if (state === 'running') continue;
        check(state === 'done', `the rollout ended ${state}: ${JSON.stringify(boxes)}`);
        break;
      }
      const { code, stdout, stderr } = await answer.ended;
      check(code === 0 && stdout.trim() !== '', `an answer that streamed meanwhile ended with ${code}: ${stderr}`);
      const now = await readVersion(world);
      check(now === NEXT_VERSION, `the box runs ${now}`);
      return `${before} to ${now}; an answer that streamed meanwhile arrived whole`;
    },
  },
  {
    name: 'password',
    title: 'Change the SSH password',
    async run(world) {
      const url = `${world.run.baseUrl}/account/password`;
      const page = await world.person.get(url);
      const form = findForm(page, '/account/password');
      const done = await world.person.submit(page, form, { password: NEXT_PASSWORD });
      check(done.status === 200, `it was answered with ${done.status}: ${toText(done.html).slice(0, 200)}`);
      await awaitOperation(world);
      const { client } = await connectBySsh(world);
      const old = await client.ssh({ password: PASSWORD }, 'id -un');
      check(old.code === 255 && /Permission denied/.test(old.stderr), `the old one: ${old.code} ${old.stderr}`);
      const { stdout } = await client.ssh({ password: NEXT_PASSWORD }, 'id -un');
      check(stdout === 'spoq\n', `with the new one: ${stdout}`);
      return 'the new one opens, the old one does not';
    },
  },
  {
    name: 'rebuild',
    title: 'Rebuild: a fresh disk, the same box',
    async run(world) {
      const before = await readBox(world);
      const preview = await operate(world, 'preview', world.login, '--rebuild');
      check(
        /disk|files|home/i.test(JSON.stringify(preview)),
        `the preview does not say what is lost: ${JSON.stringify(preview)}`,
      );
      await operate(world, 'rebuild', world.login, '--yes');
      await readVersion(world);
      const after = await readBox(world);
      check(
        after.ip_address === before.ip_address && after.ssh_host_key_fingerprint === before.ssh_host_key_fingerprint,
        `address or host key have changed: ${JSON.stringify([before, after])}`,
      );
      const { client } = await connectBySsh(world);
      const { stdout, stderr } = await client.ssh({ password: NEXT_PASSWORD }, 'ls note 2>/dev/null; id -un');
      check(stdout === 'spoq\n', `after the rebuild: ${stdout}${stderr}`);
      return 'same address, name, host key and password; nothing else';
    },
  },
  {
    name: 'move',
    title: 'Move to the other vendor, with what is on it',
    async run(world) {
      const before = await readBox(world);
      const { client: there } = await connectBySsh(world);
      await there.ssh({ password: NEXT_PASSWORD }, 'echo carried > note');
      const [from, to] = [world.provider, world.provider === 'contabo' ? 'hostinger' : 'contabo'] as const;
      await operate(world, 'move', world.login, '--to', to === 'contabo' ? 'contabo/EU' : 'hostinger/fra', '--yes');
      world.provider = to;
      await readVersion(world);
      const after = await readBox(world);
      check(after.ip_address !== before.ip_address, `the address is still ${after.ip_address}`);
      const { client: here } = await connectBySsh(world); // and shows the same host key
      const { stdout, stderr } = await here.ssh({ password: NEXT_PASSWORD }, 'cat note');
      check(stdout === 'carried\n', `after the move: ${stdout}${stderr}`);
      return `${from} to ${to}: files, name, host key and password are there`;
    },
  },
];

/** Waits until nothing is being done to the box any more. */
async function awaitOperation(world: World): Promise<void> {
  for (const until = Date.now() + OPERATION_MS; Date.now() < until; await sleep(200)) {
    const page = await world.person.get(`${world.run.baseUrl}/account`);
    const text = toText(page.html);
    check(!/did not succeed/.test(text), text.slice(0, 400));
    if (!/is going on/.test(text)) return;
  }
  throw new Error('what was begun does not end');
}
