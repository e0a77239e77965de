import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReleaseManifest } from '../../contract/release.ts';
import { issueAccessToken } from '../../control-plane/commands/issue-access-token.ts';
import type { UserVpsRow } from '../../control-plane/db/user-vps.ts';
import { runOperator } from '../../control-plane/operator/run-operator.ts';
import type { RolloutView } from '../../control-plane/operator/print-rollout.ts';
import { buildVersion } from '../../tools/next-release.ts';
import { loadReleaseKey } from '../../tools/release-key.ts';
import { sealRelease } from '../../tools/seal-release.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';
import { parseEvents } from '../harness/events.ts';
import { openFrontDoor, type FrontDoor } from '../harness/front-door.ts';
import { bootedMachines, lookInsideAt } from '../harness/machines.ts';
import { openOperatorSide, type OperatorSide } from '../harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from '../harness/spoq.ts';
import { waitFor } from '../harness/wait.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const BOXES = 10;
const [PRESENT, BROKEN, NEXT] = ['1.0.0', '1.1.0', '1.2.0'];
/** It starts, says its version, and never answers. */
const DEAF = '#!/bin/sh\n[ "$1" = --version ] && echo conductor 1.1.0 && exit\nexec sleep infinity\n';
const SETUP_MS = 10 * 60_000;
const ROLLOUT_MS = 8 * 60_000;

describe('a rollout over ten machines that boot', function () {
  this.timeout(START_TIMEOUT_MS + SETUP_MS);
  const machines = bootedMachines();
  const releases = mkdtempSync(path.join(tmpdir(), 'spoq-rollout-'));
  let run: TemporaryRun;
  let side: OperatorSide;
  let door: FrontDoor;
  let boxes: UserVpsRow[];
  let present: ReleaseManifest;

  before(async function () {
    if (machines.limit < BOXES) {
      process.stderr.write(`This computer has room for ${machines.limit} machines: the rollout over ten is skipped.\n`);
      return this.skip();
    }
    present = await release(PRESENT, '');
    const variables = { RELEASES_DIR: releases, WORKER_CONCURRENCY: '3', PROVISION_DEADLINE_SECONDS: '600' };
    run = await startTestSpoq(variables, machines);
    side = await openOperatorSide(run);
    door = openFrontDoor(run);
    boxes = await Promise.all(
      Array.from({ length: BOXES }, async (_, index) => {
        const user = await side.subscribe(`rollout${index}`);
        const provider = index % 2 === 0 ? 'contabo' : 'hostinger';
        const { id } = await side.requestBox(user, { provider });
        return side.awaitBox(id, ['ready', 'failed'], SETUP_MS);
      }),
    );
    expect(boxes.map(({ failure }) => failure)).to.deep.equal(Array(BOXES).fill(null));
  });
  after(async () => {
    await side?.close();
    await run?.stop();
    rmSync(releases, { recursive: true, force: true });
  });

  const release = (version: string, folder?: string): Promise<ReleaseManifest> =>
    buildVersion({ root: ROOT, releasesDir: releases, version, folder, env: process.env });
  /** A release whose conductor is deaf, signed as any other. */
  async function releaseDeaf({ files }: ReleaseManifest): Promise<void> {
    const out = path.join(releases, BROKEN);
    mkdirSync(out, { recursive: true });
    for (const { name, program } of files) {
      if (program === 'spoq') cpSync(path.join(releases, name), path.join(out, name));
      else writeFileSync(path.join(out, name), DEAF);
    }
    await sealRelease(out, { version: BROKEN, builtAt: 0, key: loadReleaseKey(process.env), files });
  }

  async function rollout(...argv: string[]): Promise<RolloutView> {
    const [out, said]: string[][] = [[], []];
    const io = { out: (line: string) => void out?.push(line), say: (line: string) => void said?.push(line) };
    const signal = new AbortController().signal;
    const code = await runOperator(['rollout', ...argv, '--json'], { env: run.environment, ...io, signal });
    expect(code, said?.join('\n')).to.equal(0);
    return JSON.parse(out?.join('') ?? '') as RolloutView;
  }
  const untilEnded = () =>
    waitFor(
      'the rollout to end',
      async () => {
        const view = await rollout('status');
        return view.state !== 'running' && view.boxes.every(({ state }) => state !== 'running') && view;
      },
      ROLLOUT_MS,
    );
  const versions = () => Promise.all(boxes.map(({ hostname }) => door.version(hostname)));
  const inside = (box: UserVpsRow, script: string) => lookInsideAt(run, box.ip_address, script);

  it('stops after the first wave when the conductor is not well: all ten serve, and the old version is back', async () => {
    expect(await versions()).to.deep.equal(Array(BOXES).fill(PRESENT));
    await releaseDeaf(present);
    await rollout('start', '--version', BROKEN, '--yes');
    const { state, boxes: places } = await untilEnded();
    expect(state).to.equal('failed');
    const [first, ...others] = places;
    expect(first).to.deep.include({
      state: 'failed',
      reason: 'The new conductor was not well and was taken back. The one before it serves again.',
    });
    expect(others.map((place) => place.state)).to.deep.equal(Array(BOXES - 1).fill('waiting'));
    expect(await versions()).to.deep.equal(Array(BOXES).fill(PRESENT));
    const tried = boxes.find(({ hostname }) => hostname === first?.hostname);
    if (tried === undefined) throw new Error('the first box is none of ours');
    expect(await inside(tried, 'ls -A /usr/local/bin; systemctl is-active conductor')).to.equal(
      'conductor\nspoq\nactive',
    );
    for (const box of boxes) {
      const { token } = await issueAccessToken(side.deps, { id: box.user_id }, box, randomUUID());
      expect((await door.open(box.hostname, '/api/status', { token })).statusCode, box.hostname).to.equal(200);
    }
  });

  it('lets an answer that streams through the upgrade arrive whole, and refuses nobody meanwhile', async () => {
    await release(NEXT);
    const [, box] = boxes;
    if (box === undefined) throw new Error('there is no second box');
    const { token } = await issueAccessToken(side.deps, { id: box.user_id }, box, randomUUID());
    await side.setDelays({ model_chunk_ms: 1_500 });
    const answer = await door.open(box.hostname, '/api/ask', { token, json: { question: 'What is a rollout?' } });
    expect(answer.statusCode).to.equal(200);
    const whole = text(answer).then((said) => ({ said, at: Date.now() }));

    let seen: string[] = [];
    const watch = new AbortController();
    const watched = (async () => {
      // Forty times a second: asked without a pause, this box alone would keep a processor busy.
      for (; !watch.signal.aborted; await sleep(25)) seen.push(await door.version(box.hostname));
    })();
    await rollout('start', '--version', NEXT, '--wave', '100%', '--yes');
    const view = await untilEnded();
    watch.abort();
    await watched;

    expect(view.boxes.map(({ state, reason }) => reason ?? state)).to.deep.equal(Array(BOXES).fill('done'));
    expect(await versions()).to.deep.equal(Array(BOXES).fill(NEXT));
    const { said, at } = await whole;
    const events = parseEvents(said).map(({ event }) => event);
    expect([events[0], events.at(-1)]).to.deep.equal(['start', 'done']);
    const upgraded = view.boxes.find(({ hostname }) => hostname === box.hostname);
    expect(at, 'it was being upgraded while the answer came').to.be.above(Date.parse(upgraded?.started_at ?? ''));
    seen = [...new Set(seen)];
    expect(seen, 'every request in between was answered, by the one or the other').to.deep.equal([PRESENT, NEXT]);
  });
});
