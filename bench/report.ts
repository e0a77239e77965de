import { listAnswerFailures, renderAnswers } from './answers.ts';
import type { Answers } from './answers.ts';
import { listAskStartFailures, renderAskStart } from './ask-start.ts';
import type { AskStart } from './ask-start.ts';
import { listSyncFailures, renderSync } from './sync.ts';
import type { SyncTimes } from './sync.ts';
import type { ClickToReady } from './click-share.ts';
import { restOfClick, shareOfClick } from './click-share.ts';
import type { FirstTokens } from './first-token.ts';
import type { Idle } from './idle.ts';
import { renderLoad } from './load/render.ts';
import type { Load } from './load.ts';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';
import type { Summary } from './statistics.ts';

/** Whatever was measured; parts that weren't are left out. */
export interface Measurements {
  /** When and where, for the reader. */
  date: string;
  machine: string;
  click_to_ready?: ClickToReady[] | { because: string };
  engine?: EngineTimes;
  throughput?: { at_once: number; lean: number[]; stock: number[] }[];
  load?: Load;
  first_token?: FirstTokens;
  answers?: Answers;
  cold_start?: Record<string, number[]>;
  ask_start?: AskStart;
  idle?: { seconds: number; processes: Record<string, Idle> };
  sync?: SyncTimes;
}

export interface EngineTimes {
  lean: number[];
  stock: { total: number; up: number }[];
}

/** What has to hold: the engine's part costs at most half of what the Automation API's own `up` takes. */
export const ENGINE_LIMIT = 0.5;
/** From the click until the box is ready. */
export const CLICK_LIMIT_MS = 30_000;
/** What of that may be neither the vendor's, nor the machine's, nor the engine's. */
export const REST_LIMIT = 0.2;

/** The engine's part of one provisioning over the stock `stack.up` of the same program, both from the call to the outputs. */
export function engineRatio({ lean, stock }: EngineTimes): Summary {
  return summarizeRatio(
    lean,
    stock.map(({ total }) => total),
  );
}

/** A sentence for everything that has to hold and doesn't. */
export function listFailures({
  engine,
  click_to_ready: clicks,
  sync,
  answers,
  ask_start: ask,
}: Measurements): string[] {
  const failures: string[] = [
    ...(sync === undefined ? [] : listSyncFailures(sync)),
    ...(answers === undefined ? [] : listAnswerFailures(answers)),
    ...(ask === undefined ? [] : listAskStartFailures(ask)),
  ];
  const ratio = engine && engineRatio(engine).median;
  if (ratio !== undefined && ratio > ENGINE_LIMIT)
    failures.push(`The engine's part takes ${ratio.toFixed(2)} of the stock one; at most ${ENGINE_LIMIT} is wanted.`);
  for (const row of Array.isArray(clicks) ? clicks : []) {
    const [took, share] = [summarize(row.click).median, shareOfClick(row).median];
    if (took >= CLICK_LIMIT_MS)
      failures.push(
        `A box at ${row.provider} takes ${(took / 1000).toFixed(1)} s; less than ${CLICK_LIMIT_MS / 1000} is wanted.`,
      );
    if (share >= REST_LIMIT)
      failures.push(
        `Of the time for a box at ${row.provider} ${share.toFixed(2)} is neither the vendor's, the machine's nor the engine's; less than ${REST_LIMIT} is wanted.`,
      );
  }
  return failures;
}

/** docs/performance.md */
export function renderReport(measured: Measurements): string {
  const {
    date,
    machine,
    click_to_ready: clicks,
    engine,
    throughput,
    load,
    first_token: tokens,
    answers,
    cold_start: starts,
    ask_start: ask,
    idle,
    sync,
  } = measured;
  const sections = [
    renderHead(date, machine),
    clicks && renderClicks(clicks),
    engine && renderEngine(engine),
    throughput && renderThroughput(throughput),
    load && renderLoad(load),
    tokens && renderTokens(tokens),
    answers && renderAnswers(answers),
    starts && renderStarts(starts),
    ask && renderAskStart(ask),
    idle && renderIdle(idle),
    sync && renderSync(sync),
  ];
  return sections.filter((section) => section !== undefined).join('\n');
}

function renderHead(date: string, machine: string): string {
  return `# Performance

Ratios are what to compare: both sides of each were measured in turn, in one run, on one machine. Absolute times move by a third
from run to run. Figures are medians with their range. Measured ${date} on ${machine}.

\`\`\`
npm run bench                           # everything, and writes this page
npm run bench -- --rounds 3             # quicker, rougher
npm run bench -- --only click-to-ready  # one part, and only prints it
\`\`\`
`;
}

function renderClicks(clicks: ClickToReady[] | { because: string }): string {
  const title = '## From the click to a box that is ready\n\n';
  if (!Array.isArray(clicks)) return `${title}Not measured: machines can't boot here (${clicks.because}).\n`;
  const row = (name: string, cell: (one: ClickToReady) => string): string =>
    `| ${name} | ${clicks.map(cell).join(' | ')} |`;
  const ms = (values: readonly number[]): string => formatSummary(summarize(values));
  const lines = [
    `| | ${clicks.map(({ provider }) => provider).join(' | ')} |`,
    `|---|${clicks.map(() => '---|').join('')}`,
    row('click to ready', ({ click }) => `**${ms(click)}**`),
    row("the vendor's delay", ({ vendor_ms }) => String(vendor_ms)),
    row('the machine boots and sets itself up', ({ boot }) => ms(boot)),
    row('the engine', ({ engine }) => ms(engine)),
    row('all the rest', (one) => ms(restOfClick(one))),
    row('its share of the whole', (one) => `**${formatSummary(shareOfClick(one), 2)}**`),
  ];
  const steps = Object.keys(clicks[0]?.steps ?? {}).map((name) => row(name, (one) => ms(one.steps[name] ?? [])));
  return `${title}All of Spoq as \`npm start\` runs it, on machines that really boot: from the request for a box until it is \`ready\`, in ms. The floor is
what no control plane could do without, each measured by itself and in turn with the whole:

- the *vendor's delay* is the sandbox's own, before it switches the machine on;
- the *machine* is one that is given the same document by the vendor alone, with its name known and a stand-in for the control
  plane: from power on until its last step is reported and \`https://…/health\` answers with a valid certificate;
- the *engine* is Spoq's own run of it for such a box, at vendors and with a machine that take no time, started before.

Nothing of the floor overlaps: the machine is there only when the engine has ordered it, and the engine has to wait for it. What is
left are queue, polling, the name, what is said to the box over SSH, and what runs slower beside a machine that boots.

${lines.join('\n')}

Wanted: less than ${CLICK_LIMIT_MS / 1000} s, and a rest of less than ${REST_LIMIT.toFixed(2)}.

The same time by what the customer is told, step after step:

${[...lines.slice(0, 2), ...steps].join('\n')}
`;
}

function renderEngine(engine: EngineTimes): string {
  const up = engine.stock.map((one) => one.up);
  return `## The engine's part of one provisioning

The same program, the same vendors (the sandbox's, without delays), the same state in Postgres. *Stock* is the Automation API as it
comes: \`createStack\`, \`stack.up\`, and the further starts of the engine for outputs and history, each of which stretches the
passphrase once more. *Spoq* starts the engine once per operation, lets plugins live on, and reads outputs from the engine's events.

| | ms | ratio |
|---|---|---|
| stock, createStack and up | ${formatSummary(summarize(engine.stock.map(({ total }) => total)))} | 1.00 |
| of that, up alone | ${formatSummary(summarize(up))} | |
| Spoq, the whole operation | ${formatSummary(summarize(engine.lean))} | **${formatSummary(engineRatio(engine), 2)}** |
| Spoq, the whole operation, over up alone | | ${formatSummary(summarizeRatio(engine.lean, up), 2)} |

Wanted: at most ${ENGINE_LIMIT.toFixed(2)}.
`;
}

function renderThroughput(throughput: NonNullable<Measurements['throughput']>): string {
  const lines = throughput.map((row) => {
    const perMinute = (values: number[]): string =>
      formatSummary(summarize(values.map((ms) => (row.at_once * 60_000) / ms)), 1);
    const ratio = formatSummary(summarizeRatio(row.stock, row.lean), 2);
    return `| ${row.at_once} | ${perMinute(row.stock)} | ${perMinute(row.lean)} | ${ratio} |`;
  });
  return `## Stacks per minute

| at once | stock | Spoq | ratio |
|---|---|---|---|
${lines.join('\n')}
`;
}

function renderTokens(tokens: FirstTokens): string {
  const added = summarize(tokens.box.map((ms, round) => ms - (tokens.direct[round] ?? Number.NaN)));
  return `## Time to first token

From the request to the first piece of the answer, each on a fresh connection, the model being the sandbox's. *Through the box* is what
\`spoq ask\` does: front door, token checked, conductor, model.

| | ms |
|---|---|
| the model directly | ${formatSummary(summarize(tokens.direct), 1)} |
| through the box | ${formatSummary(summarize(tokens.box), 1)} |
| added | **${formatSummary(added, 1)}** |
`;
}

function renderStarts(starts: Record<string, number[]>): string {
  const [base = []] = Object.values(starts);
  const lines = Object.entries(starts).map(
    ([name, values]) =>
      `| ${name} | ${formatSummary(summarize(values))} | ${formatSummary(summarizeRatio(values, base), 2)} |`,
  );
  return `## Cold start of \`--version\`

Whole processes. The floor is the smallest program, compiled by the same bun with the same flags.

| | ms | ratio to the floor |
|---|---|---|
${lines.join('\n')}
`;
}

function renderIdle({ seconds, processes }: NonNullable<Measurements['idle']>): string {
  const lines = Object.entries(processes).map(
    ([name, { rss_mb, cpu_percent, wakes_per_second }]) =>
      `| ${name} | ${rss_mb.toFixed(0)} | ${cpu_percent.toFixed(2)} | ${wakes_per_second.toFixed(1)} |`,
  );
  return `## With nothing to do

The compiled conductor of a box that nobody asks, over ${seconds} s. The floor is an empty server, compiled by the same bun with the same flags.

| | resident, MB | of one processor, % | wakes a second |
|---|---|---|---|
${lines.join('\n')}
`;
}
