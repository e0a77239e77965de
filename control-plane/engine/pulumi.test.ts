import { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { expect } from 'chai';
import { createEngineBench, type EngineBench, hasEngine } from './testing/bench.ts';
import { createPlugins } from './plugins.ts';
import { type PulumiEvent } from './events.ts';
import { createProgram } from '../../stacks/program.ts';
import { withPulumi } from './pulumi.ts';

describe('a run of the engine', function () {
  this.timeout(60_000);
  let bench: EngineBench;
  before(async function () {
    if (!hasEngine()) return this.skip();
    bench = await createEngineBench();
  });
  after(() => bench?.close());

  /** What is heard of a preview until it is over. */
  async function preview(
    pass: (hear: (event: PulumiEvent) => void, event: PulumiEvent) => void,
  ): Promise<PulumiEvent[]> {
    const plugins = createPlugins(bench.env);
    const spec = bench.createSpec('contabo');
    const heard: PulumiEvent[] = [];
    try {
      await withPulumi({ env: bench.env, command: () => PulumiCommand.get(), plugins }, async (pulumi) => {
        await pulumi.run(['stack', 'init', spec.stack, '--no-select']);
        const listener = { onReport: () => {}, onEvent: (event: PulumiEvent) => void heard.push(event) };
        const { stack, hear } = await pulumi.selectStack(spec.stack, createProgram(spec), listener);
        await stack.preview({ onEvent: (event) => pass(hear, event) });
      });
    } finally {
      await plugins.close();
    }
    return heard;
  }

  it('is over when its last event has come, however late that is', async () => {
    const heard = await preview((hear, event) => void setTimeout(() => hear(event), 400));
    expect(heard.at(-1)).to.have.property('cancelEvent');
    const types = heard.flatMap(({ resourcePreEvent }) => resourcePreEvent?.metadata.type ?? []);
    expect(types).to.include.members(['spoq:index:Instance', 'cloudflare:index/dnsRecord:DnsRecord']);
  });

  it('that does not tell how it ended is not taken for one of which all is known', async () => {
    const deaf = preview(() => {});
    expect(await deaf.catch(({ message }: Error) => message)).to.equal('The engine has ended and did not tell how');
  });
});
