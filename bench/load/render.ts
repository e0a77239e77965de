import type { Load, LoadRow } from '../load.ts';
import { CONCURRENCIES } from './drive.ts';
import { formatSummary, summarize, summarizeRatio } from '../statistics.ts';

/** The section of docs/performance.md. */
export function renderLoad({ floor, rows }: Load): string {
  const line = (row: LoadRow, base: readonly number[]): string => {
    const rates = [row.operations, row.requests].map((rate) => formatSummary(summarize(rate)));
    const times = [row.p50, row.p99].map((time) => formatSummary(summarize(time), 1));
    const ratio = formatSummary(summarizeRatio(row.requests, base), 2);
    return `| ${[row.name, row.at_once, ...rates, ...times, `**${ratio}**`].join(' | ')} |`;
  };
  return `## Load

One web process as production runs it (its log at \`info\`, every limit in force; each customer has an address of their own, which a
trusted proxy tells), a durable Postgres, and the load itself, all on this machine. Each kind of load runs with as many at once, of
${CONCURRENCIES.join(', ')}, as give the highest rate. The *floor* is a bare Koa handler with 20 connections to the same Postgres, as the
control plane has: it reads a body, does one SELECT and one UPDATE in a transaction, and answers JSON. It is loaded right before each
measurement; the ratio is of requests per second. A single answer of another status than the one expected fails the benchmark, and so
does a database that doesn't hold in the end what was answered: everybody who signed up is subscribed once, each event has led to one
look at Stripe though it came twice, each device's chain ends in the one token that it holds, the audit log is unbroken.

| | at once | a second | requests a second | p50, ms | p99, ms | ratio |
|---|---|---|---|---|---|---|
${[line(floor, floor.requests), ...rows.map((row) => line(row, row.floor))].join('\n')}

- A *sign-up* is seven requests: home, checkout, back from the payment, to GitHub and back, and the page that asks for a password. With
  the sandbox's vendors it is held up by them: they write their whole state to the disk at every change.
- With *vendors that cost nothing* (they keep no state) it takes some 69 statements and six calls out, where the floor has 4 a request.
  Its two entries in the audit log are written one after the other, for all customers: that is what the log's chain means.
- A *webhook* is two deliveries of one event: the first reads the subscription from Stripe under a lock and writes what follows.
- A *token refresh* has some 15 statements, two commits (its limit is counted in one of its own, so that replicas count together) and an
  RSA signature, which alone takes as much of a processor as a request of the floor.
- *SSH passwords* are hashed twice, slowly on purpose: argon2id takes 20 ms on another thread, the box's \`$6$\` hash 8 ms on the only one.
`;
}
