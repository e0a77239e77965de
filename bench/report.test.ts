import { expect } from 'chai';
import type { ClickToReady } from './click-share.ts';
import type { Load } from './load.ts';
import { listFailures, renderReport } from './report.ts';

const WHERE = { date: '2026-11-23', machine: '2 × something, linux-x64' };
const ENGINE = { lean: [1000], stock: [{ total: 4000, up: 3000 }] };
const CLICK: ClickToReady = {
  provider: 'contabo',
  click: [10_000],
  vendor_ms: 4000,
  boot: [4000],
  engine: [1000],
  steps: { 'a worker takes it': [20], 'the rest': [9980] },
};

const ROW = { at_once: 8, p50: [4], p99: [9] };
const LOAD: Load = {
  floor: { ...ROW, name: 'the floor', requests: [1000], operations: [1000] },
  rows: [{ ...ROW, name: 'token refreshes', requests: [200, 300], operations: [200, 300], floor: [1000, 1000] }],
};

describe('the report', () => {
  it('has the parts that were measured', () => {
    const titles = (text: string) => text.match(/^## .*$/gm);
    expect(titles(renderReport({ ...WHERE, engine: ENGINE }))).to.deep.equal([
      "## The engine's part of one provisioning",
    ]);
    const first_token = { direct: [5], box: [8] };
    const throughput = [{ at_once: 1, lean: [1000], stock: [4000] }];
    const all = {
      click_to_ready: [CLICK],
      engine: ENGINE,
      throughput,
      load: LOAD,
      first_token,
      cold_start: { hello: [10] },
      idle: { seconds: 60, processes: { 'the conductor': { rss_mb: 60, cpu_percent: 0.1, wakes_per_second: 2 } } },
    };
    expect(titles(renderReport({ ...WHERE, ...all }))).to.deep.equal([
      '## From the click to a box that is ready',
      "## The engine's part of one provisioning",
      '## Stacks per minute',
      '## Load',
      '## Time to first token',
      '## Cold start of `--version`',
      '## With nothing to do',
    ]);
  });

  it('takes the time from the click apart, a column for each vendor', () => {
    const other: ClickToReady = { ...CLICK, provider: 'hostinger', vendor_ms: 2000 };
    const page = renderReport({ ...WHERE, click_to_ready: [CLICK, other] });
    for (const line of [
      '| click to ready | **10000 (10000..10000)** | **10000 (10000..10000)** |',
      "| the vendor's delay | 4000 | 2000 |",
      '| all the rest | 1000 (1000..1000) | 3000 (3000..3000) |',
      '| its share of the whole | **0.10 (0.10..0.10)** | **0.30 (0.30..0.30)** |',
      '| a worker takes it | 20 (20..20) | 20 (20..20) |',
    ])
      expect(page).to.include(`\n${line}\n`);
    expect(page.match(/^\| \| contabo \| hostinger \|\n\|---\|---\|---\|$/gm)).to.have.length(2);
  });

  it('sets each load beside the floor that was measured with it', () => {
    const page = renderReport({ ...WHERE, load: LOAD });
    for (const line of [
      '| the floor | 8 | 1000 (1000..1000) | 1000 (1000..1000) | 4.0 (4.0..4.0) | 9.0 (9.0..9.0) | **1.00 (1.00..1.00)** |',
      '| token refreshes | 8 | 250 (200..300) | 250 (200..300) | 4.0 (4.0..4.0) | 9.0 (9.0..9.0) | **0.25 (0.20..0.30)** |',
    ])
      expect(page).to.include(`\n${line}\n`);
  });

  it('says why the time from the click was not measured', () => {
    const page = renderReport({ ...WHERE, click_to_ready: { because: 'they need root' } });
    expect(page).to.include("Not measured: machines can't boot here (they need root).\n");
    expect(listFailures({ ...WHERE, click_to_ready: { because: 'they need root' } })).to.deep.equal([]);
  });

  it('fails by name where something does not hold, and only there', () => {
    expect(listFailures({ ...WHERE, engine: ENGINE, click_to_ready: [CLICK] })).to.deep.equal([]);
    const slow: ClickToReady = { ...CLICK, provider: 'hostinger', click: [30_000], boot: [17_000] };
    const engine = { lean: [3000], stock: ENGINE.stock };
    expect(listFailures({ ...WHERE, engine, click_to_ready: [CLICK, slow] })).to.deep.equal([
      "The engine's part takes 0.75 of the stock one; at most 0.5 is wanted.",
      'A box at hostinger takes 30.0 s; less than 30 is wanted.',
      "Of the time for a box at hostinger 0.27 is neither the vendor's, the machine's nor the engine's; less than 0.2 is wanted.",
    ]);
  });
});
