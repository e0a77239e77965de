import type { FirstTokens } from './first-token.ts';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';
import type { Summary } from './statistics.ts';

export interface Measurements {
  /** When and where, for the reader. */
  date: string;
  machine: string;
  engine: { lean: number[]; stock: { total: number; up: number }[] };
  throughput: { at_once: number; lean: number[]; stock: number[] }[];
  first_token: FirstTokens;
  cold_start: Record<string, number[]>;
}

/** What has to hold: the engine's part costs at most half of what the Automation API's own `up` takes. */
export const ENGINE_LIMIT = 0.5;

/** The engine's part of one provisioning over the stock `stack.up` of the same program, both from the call to the outputs. */
export function engineRatio({ engine }: Measurements): Summary {
  return summarizeRatio(
    engine.lean,
    engine.stock.map(({ total }) => total),
  );
}

/** docs/performance.md */
export function renderReport(measured: Measurements): string {
  const { engine, throughput, first_token: tokens, cold_start: cold } = measured;
  const perMinute = (row: { at_once: number }, values: number[]): Summary =>
    summarize(values.map((ms) => (row.at_once * 60_000) / ms));
  const added = summarize(tokens.box.map((ms, round) => ms - (tokens.direct[round] ?? Number.NaN)));
  const [floor] = Object.keys(cold);
  const base = cold[floor ?? ''] ?? [];
  return `# Performance

Ratios are what to compare: both sides of each were measured in turn, in one run, on one machine. Absolute times move by a third
from run to run. Figures are medians with their range. Measured ${measured.date} on ${measured.machine}.

\`\`\`
npm run bench                 # everything, and writes this page
npm run bench -- --rounds 3   # quicker, rougher
\`\`\`

## The engine's part of one provisioning

The same program, the same vendors (the sandbox's, without delays), the same state in Postgres. *Stock* is the Automation API as it
comes: \`createStack\`, \`stack.up\`, and the further starts of the engine for outputs and history, each of which stretches the
passphrase once more. *Spoq* starts the engine once per operation, lets plugins live on, and reads outputs from the engine's events.

| | ms | ratio |
|---|---|---|
| stock, createStack and up | ${formatSummary(summarize(engine.stock.map(({ total }) => total)))} | 1.00 |
| of that, up alone | ${formatSummary(summarize(engine.stock.map(({ up }) => up)))} | |
| Spoq, the whole operation | ${formatSummary(summarize(engine.lean))} | **${formatSummary(engineRatio(measured), 2)}** |
| Spoq, the whole operation, over up alone | | ${formatSummary(
    summarizeRatio(
      engine.lean,
      engine.stock.map(({ up }) => up),
    ),
    2,
  )} |

Wanted: at most ${ENGINE_LIMIT.toFixed(2)}.

## Stacks per minute

| at once | stock | Spoq | ratio |
|---|---|---|---|
${throughput
  .map((row) => {
    const ratio = summarizeRatio(row.stock, row.lean);
    return `| ${row.at_once} | ${formatSummary(perMinute(row, row.stock), 1)} | ${formatSummary(perMinute(row, row.lean), 1)} | ${formatSummary(ratio, 2)} |`;
  })
  .join('\n')}

## Time to first token

From the request to the first piece of the answer, each on a fresh connection, the model being the sandbox's. *Through the box* is what
\`spoq ask\` does: front door, token checked, conductor, model.

| | ms |
|---|---|
| the model directly | ${formatSummary(summarize(tokens.direct), 1)} |
| through the box | ${formatSummary(summarize(tokens.box), 1)} |
| added | **${formatSummary(added, 1)}** |

## Cold start of \`--version\`

Whole processes. The floor is the smallest program, compiled by the same bun with the same flags.

| | ms | ratio to the floor |
|---|---|---|
${Object.entries(cold)
  .map(
    ([name, values]) =>
      `| ${name} | ${formatSummary(summarize(values))} | ${formatSummary(summarizeRatio(values, base), 2)} |`,
  )
  .join('\n')}
`;
}
