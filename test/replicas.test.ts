import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startChild, type Child } from '../tools/child.ts';
import { OPERATE } from '../tools/journey/operate.ts';
import { SIGN_UP } from '../tools/journey/signup.ts';
import { runStory, type StepReport } from '../tools/journey/story.ts';
import { SIGN_OUT, USE } from '../tools/journey/use.ts';
import { createWorld } from '../tools/journey/world.ts';
import { findFreePort } from '../tools/ports.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openFront, type Front } from './harness/front.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

const ROOT = path.dirname(import.meta.dirname);
const SEED = Number(process.env['SPOQ_TEST_SEED'] ?? Date.now() % 1_000_000);

/** One process of the control plane that is killed and started again. */
interface Replica {
  name: string;
  url: string;
  child: Child;
  /** How many answers there were of it when it began. */
  since: number;
  start(): Promise<void>;
}

describe(`two replicas of the control plane and two workers (SPOQ_TEST_SEED=${SEED})`, function () {
  this.timeout(5 * 60_000);
  let front: Front;
  let run: TemporaryRun;
  let side: OperatorSide;
  const replicas: Replica[] = [];
  const killed: string[] = [];

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    front = await openFront();
    const host = `http://localhost:${front.port}`;
    // Its own web server and worker give way to those of this test, which the front knows and which may die.
    front.replicas.push('http://127.0.0.1:9');
    run = await startTestSpoq({ BASE_URL: host });
    side = await openOperatorSide(run);
    await run.worker().stop(10_000);
    for (const role of ['web', 'worker'] as const)
      for (const name of [`${role}-1`, `${role}-2`]) replicas.push(await createReplica(name, role));
    front.replicas.splice(0, 1, ...replicas.filter(({ name }) => name.startsWith('web')).map(({ url }) => url));
  });
  after(async () => {
    for (const { child } of replicas) await child.stop(5000);
    await side?.close();
    await run?.stop();
    await front?.close();
  });

  async function createReplica(name: string, role: 'web' | 'worker'): Promise<Replica> {
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    const where = role === 'web' ? { SERVER_PORT: String(port) } : { METRICS_PORT: String(port) };
    const argv = [path.join(ROOT, 'node_modules', '.bin', 'node'), path.join(ROOT, 'control-plane', 'main.ts'), role];
    const options = { name, argv, env: { ...run.environment, ...where }, cwd: ROOT };
    const logFile = path.join(run.folder.logs, `${name}.log`);
    const replica: Replica = {
      name,
      url,
      child: startChild({ ...options, logFile }),
      since: 0,
      async start() {
        replica.since = front.served.get(url) ?? 0;
        replica.child = startChild({ ...options, logFile });
        await ready();
      },
    };
    const ready = () =>
      waitFor(`${name} to be ready`, async () => (await fetch(`${url}/ready`)).ok, 60_000).catch((cause: unknown) => {
        throw new Error(`${name} said: ${replica.child.lastLines().join('\n')}`, { cause });
      });
    await ready();
    return replica;
  }

  /** A web server whose turn to answer has not come yet is spared: on a busy machine it could be killed before it ever answered. */
  const hasWorked = ({ name, url, since }: Replica): boolean =>
    name.startsWith('worker') || (front.served.get(url) ?? 0) > since;

  /** Kills one after another, whichever it hits, and starts it again; never two at once, until told to stop. */
  function beginKilling(): { stop(): Promise<void> } {
    let state = SEED;
    // Park and Miller's generator: the same seed, the same victims.
    const draw = (n: number): number => (state = (state * 48_271 + 11) % 2_147_483_647) % n;
    const over = new AbortController();
    const work = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const able = replicas.filter(hasWorked);
        const victim = able[draw(able.length)];
        if (victim === undefined) throw new Error('there is nobody to kill');
        process.kill(victim.child.pid, 'SIGKILL');
        await victim.child.ended;
        killed.push(victim.name);
        await victim.start();
        await sleep(draw(1500));
      }
    };
    const done = work();
    return {
      async stop() {
        over.abort();
        await done;
      },
    };
  }

  it('carry the whole journey, with requests spread over both, while one or the other is killed', async () => {
    const world = createWorld(ROOT, { ...run, baseUrl: `http://localhost:${front.port}` }, 'contabo');
    const told: StepReport[] = [];
    const since = killed.length;
    const killing = beginKilling();
    try {
      await runStory(
        [...SIGN_UP, ...USE, ...SIGN_OUT, ...OPERATE],
        world,
        (step) => void told.push(step),
        new AbortController().signal,
      );
    } finally {
      await killing.stop();
    }
    expect(told.filter(({ ok }) => !ok)).to.deep.equal([]);
    expect(killed.length - since, 'enough of them died').to.be.at.least(5);
  });

  it('have both answered, and have done nothing twice', async () => {
    const counts = [...front.served.values()];
    expect(counts).to.have.length(2);
    expect(Math.min(...counts), 'answers of the one that died more often').to.be.at.least(5);
    const { db } = side.deps;
    const boxes = await db('user_vps').select('id', 'provider', 'status');
    for (const { id, provider } of boxes) {
      const ours = (await side.instances(provider)).filter(({ name }) => name.startsWith(`box-${id}`));
      expect(ours.length).to.be.at.most(1);
    }
    const machines = await db('machines').groupBy('user_vps_id').select('user_vps_id', db.raw('count(*)::int'));
    expect(machines.map(({ count }) => count)).to.deep.equal(boxes.map(() => 1));
    const left = ['created', 'retry', 'active', 'failed'];
    await waitFor(
      'every job to be done',
      async () => (await db('pgboss.job').whereIn('state', left)).length === 0,
      60_000,
    );
  });
});
