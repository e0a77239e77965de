import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { openAnswerBox } from '../test/harness/answer-box.ts';
import { waitFor } from '../test/harness/wait.ts';
import { ask, askBox, askModel } from './agent/ask.ts';
import type { Way } from './agent/ask.ts';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';

export const WAYS = ['the model directly', 'the conductor, on the box', 'through Caddy with TLS'] as const;
type WayName = (typeof WAYS)[number];
type Times = Record<WayName, number[]>;

export interface Answers {
  /** Milliseconds to the first word, on a connection of its own: of a conductor that has just started, and of one that has answered for a while. */
  fresh: Times;
  first: Times;
  /** Words a second of an answer of 2,000: one that the model says at a pace, and one that it says as fast as it can. */
  paced: Times;
  flat: Times;
  /** A hundred answers at once: milliseconds from a word's saying to its arrival. */
  together: Record<WayName, { median: number; p99: number; whole: number }>;
}

/** Wanted: what may be added to the first word, in ms, and what share of the direct rate is left. */
const FIRST_LIMITS: Partial<Record<WayName, number>> = {
  'the conductor, on the box': 5,
  'through Caddy with TLS': 10,
};
const RATE_LIMIT = 0.9;
const WORDS = 2000;
/** Until the machine code is there that the engine makes of what runs often; the first of them count as fresh. */
const WARM_UPS = 250;
const FRESH = 30;
/** Some 450 words a second: faster than any model that is sold. */
const PAUSE_MS = 2;
const TOGETHER = { answers: 100, words: 200, pause: 20 };

export interface AnswersOptions {
  dir: string;
  conductor: readonly string[];
  rounds: number;
  onRound?: (text: string) => void;
}

/** Asks a model that thinks nothing, directly and through the box, in turn. */
export async function measureAnswers({ dir, conductor, rounds, onRound }: AnswersOptions): Promise<Answers> {
  mkdirSync(dir, { recursive: true });
  const world = await openWorld(dir, conductor);
  const empty = (): Times => ({ [WAYS[0]]: [], [WAYS[1]]: [], [WAYS[2]]: [] }) as Times;
  const answers: Answers = {
    fresh: empty(),
    first: empty(),
    paced: empty(),
    flat: empty(),
    together: {} as Answers['together'],
  };
  const each = async (work: (name: WayName, way: Way) => Promise<void>): Promise<void> => {
    for (const name of WAYS) await work(name, world.ways[name]);
  };
  const rate = async (way: Way, pause: number): Promise<number> => {
    const { words, firstMs, restMs } = await ask(way, `words=${WORDS} pause=${pause}`);
    if (words !== WORDS) throw new Error(`${words} of ${WORDS} words arrived`);
    return (words / (firstMs + restMs)) * 1000;
  };
  try {
    for (let round = -WARM_UPS; round < rounds * 10; round++)
      await each(async (name, way) => {
        const { firstMs } = await ask(way, 'words=1 pause=0');
        if (round >= 0) answers.first[name].push(firstMs);
        else if (round < FRESH - WARM_UPS) answers.fresh[name].push(firstMs);
      });
    for (let round = 0; round < rounds; round++) {
      onRound?.(`2,000 words, round ${round + 1} of ${rounds}`);
      await each(async (name, way) => void answers.flat[name].push(await rate(way, 0)));
      await each(async (name, way) => void answers.paced[name].push(await rate(way, PAUSE_MS)));
    }
    onRound?.(`${TOGETHER.answers} at once`);
    await each(async (name, way) => {
      answers.together[name] = await askTogether(way);
    });
  } finally {
    await world.close();
  }
  return answers;
}

async function askTogether(way: Way): Promise<{ median: number; p99: number; whole: number }> {
  const question = `words=${TOGETHER.words} pause=${TOGETHER.pause}`;
  const all = await Promise.all(Array.from({ length: TOGETHER.answers }, () => ask(way, question)));
  const delays = all.flatMap(({ delaysMs }) => delaysMs).toSorted((a, b) => a - b);
  const at = (share: number): number => delays[Math.floor((delays.length - 1) * share)] ?? Number.NaN;
  return { median: at(0.5), p99: at(0.99), whole: all.filter(({ words }) => words === TOGETHER.words).length };
}

async function openWorld(
  dir: string,
  conductor: readonly string[],
): Promise<{ ways: Record<WayName, Way>; close(): Promise<void> }> {
  const model = spawn(process.execPath, [path.join(import.meta.dirname, 'model', 'main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(createInterface(model.stdout), 'line')) as [string];
  const modelUrl = `http://127.0.0.1:${port}`;
  const box = await openAnswerBox(dir, conductor, modelUrl);
  const caddy = askBox(box.caddy.url, box.caddy.token, box.caddy.ca);
  await waitFor('Caddy to answer', () => ask(caddy, 'words=1 pause=0').catch(() => undefined));
  return {
    ways: {
      'the model directly': askModel(modelUrl),
      'the conductor, on the box': askBox(box.local),
      'through Caddy with TLS': caddy,
    },
    async close() {
      await box.close();
      model.kill('SIGKILL');
    },
  };
}

const [DIRECT] = WAYS;

function addedTo(times: Times, name: WayName): number[] {
  return times[name].map((ms, round) => ms - (times[DIRECT][round] ?? Number.NaN));
}

/** The section of docs/performance.md. */
export function renderAnswers(answers: Answers): string {
  const { fresh, first, paced, flat, together } = answers;
  const rows = WAYS.map((name) => {
    const added = (times: Times): string => (name === DIRECT ? '' : formatSummary(summarize(addedTo(times, name)), 1));
    return `| ${name} | ${formatSummary(summarize(first[name]), 1)} | ${added(first)} | ${added(fresh)} | ${FIRST_LIMITS[name] ?? ''} |`;
  });
  const rates = WAYS.map((name) => {
    const share = (times: Times): string => formatSummary(summarizeRatio(times[name], times[DIRECT]), 2);
    return `| ${name} | ${formatSummary(summarize(paced[name]))} | **${share(paced)}** | ${formatSummary(summarize(flat[name]))} | ${share(flat)} |`;
  });
  const many = WAYS.map((name) => {
    const { median, p99, whole } = together[name];
    return `| ${name} | ${whole} | ${median.toFixed(1)} | ${p99.toFixed(1)} |`;
  });
  return `## What the box adds to an answer

A model that thinks nothing, a process of its own, asked directly and through the compiled conductor, in turn. Each word of an answer is
written down on the box before it is sent on: twice, for the question and for its first word, the disk is waited for. Words that come
together go on together, as one event, which is less to read than what the model sent: hence shares above 1.

| first word, on a connection of its own | ms | added, ms | added, of the first ${FRESH} after the start | wanted, less than |
|---|---|---|---|---|
${rows.join('\n')}

| an answer of ${WORDS} words | at a pace, words a second | share | flat out, words a second | share |
|---|---|---|---|---|
${rates.join('\n')}

Wanted: a share of at least ${RATE_LIMIT} at the pace of a fast model.

| ${TOGETHER.answers} answers of ${TOGETHER.words} words at once | whole | from saying to arrival, median ms | 99 of 100, ms |
|---|---|---|---|
${many.join('\n')}
`;
}

/** What doesn't hold. */
export function listAnswerFailures(answers: Answers): string[] {
  return WAYS.filter((name) => name !== DIRECT).flatMap((name) => {
    const [added, most] = [summarize(addedTo(answers.first, name)).median, FIRST_LIMITS[name] ?? 0];
    const share = summarizeRatio(answers.paced[name], answers.paced[DIRECT]).median;
    const { whole } = answers.together[name];
    return [
      ...(added < most ? [] : [`first word, ${name}: ${added.toFixed(1)} ms more, less than ${most} are wanted`]),
      ...(share >= RATE_LIMIT
        ? []
        : [`${WORDS} words, ${name}: ${share.toFixed(2)} of the direct rate, ${RATE_LIMIT} wanted`]),
      ...(whole === TOGETHER.answers ? [] : [`${name}: ${whole} of ${TOGETHER.answers} answers at once were whole`]),
    ];
  });
}
