import path from 'node:path';
import { expect } from 'chai';
import { decideDeviceGrant } from '../control-plane/commands/decide-device-grant.ts';
import { MARKER, PLANTED, makeRepository } from '../tools/journey/repository.ts';
import { runSpoq, startSpoq, type SpoqOptions } from '../tools/journey/spoq.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

interface Answer {
  chunks_sent: number;
  chunks_total: number;
  finished: boolean;
  aborted: boolean;
}

/** The compiled `spoq`, through the front door of a box, to a model that takes its time. */
describe('spoq ask', function () {
  this.timeout(60_000);
  let run: TemporaryRun;
  let side: OperatorSide;
  let spoq: SpoqOptions;

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    run = await startTestSpoq();
    side = await openOperatorSide(run);
    await side.setDelays({ provisioning_ms: 100, installing_ms: 100, model_chunk_ms: 60 });
    const user = await side.subscribe('ada');
    const box = await side.requestBox(user);
    const repository = path.join(run.scratch, 'tides');
    await makeRepository(repository, process.env);
    const home = path.join(run.scratch, 'home');
    const env = { PATH: process.env['PATH'], HOME: home, SPOQ_HOME: home, SPOQ_URL: run.baseUrl };
    spoq = { spoq: run.prepared.spoq, cwd: repository, env };
    await side.awaitBox(box.id, ['ready']);
    const init = startSpoq(spoq, ['init', '--no-browser']);
    const [, wordCode = ''] = await init.waitFor(/code=([A-Z]+-[A-Z]+-[A-Z]+)/);
    await decideDeviceGrant(side.deps, { user, wordCode, decision: 'approve', ip: '127.0.0.1' });
    expect(await init.ended).to.have.property('code', 0);
  });
  after(async () => {
    await side?.close();
    await run?.stop();
  });

  const answers = async (): Promise<Answer[]> => {
    const origin = new URL(String(run.urls['anthropic'])).origin;
    return (await (await fetch(`${origin}/_sandbox/answers`)).json()) as Answer[];
  };

  it('shows the first words while the model still speaks', async () => {
    const ask = startSpoq(spoq, ['ask', 'what does this compute?']);
    await ask.waitFor(/sandbox/);
    const meanwhile = (await answers()).at(-1);
    expect(meanwhile?.finished, 'the model had finished before the terminal showed anything').to.equal(false);
    const { code, chunks, stdout } = await ask.ended;
    const last = (await answers()).at(-1);
    expect({ code, finished: last?.finished }).to.deep.equal({ code: 0, finished: true });
    // The model speaks for chunks × 60 ms; what the terminal got is spread over most of that time and not one burst at its end.
    const [first, end] = [chunks[0]?.at ?? 0, chunks.at(-1)?.at ?? 0];
    expect(end - first).to.be.greaterThan(((last?.chunks_total ?? 0) * 60) / 2);
    expect(stdout).to.contain('README.md');
  });

  it('sends the files that matter and none of the planted secrets', async () => {
    const ask = await runSpoq(spoq, ['ask', 'what does this compute?']);
    expect(ask.code).to.equal(0);
    const sent = JSON.stringify(await side.requests('anthropic'));
    expect(sent).to.contain(MARKER);
    for (const secret of Object.values(PLANTED)) expect(sent).not.to.contain(secret);
    expect(ask.stderr).to.match(/^4 files, \d+ B, 3 withheld, to \S+'s box \S+$/m);
  });

  it('ends on Ctrl-C with 130, and the model is told to stop', async () => {
    const ask = startSpoq(spoq, ['ask', 'what does this compute?']);
    await ask.waitFor(/sandbox/);
    ask.kill('SIGINT');
    expect(await ask.ended).to.have.property('code', 130);
    await waitFor('the model to be interrupted', async () => (await answers()).at(-1)?.aborted === true);
  });
});
