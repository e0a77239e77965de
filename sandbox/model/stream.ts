import { setTimeout as sleep } from 'node:timers/promises';
import type { AnswerRecord, StreamFault } from './state.ts';

/** Milliseconds before the first word, and between two. */
export interface Pace {
  first_chunk_ms: number;
  chunk_ms: number;
}

/** A part of an answer: its words, or a call of a tool with its input as JSON. */
export type Block = { type: 'text'; text: string } | { type: 'call'; id: string; name: string; json: string };

/** A piece of one block, by the block's place in the answer. */
export interface Chunk {
  block: number;
  text: string;
}

/** What comes out of a paced answer: pieces of its blocks in order, and at most one fault, at its end. */
export type Spoken = ({ type: 'chunk' } & Chunk) | { type: 'fault'; fault: 'error' | 'overloaded' | 'cut' };

/** A call's input comes in pieces of about so many characters, and in no more than so many pieces. */
const PIECE_CHARACTERS = 12;
const MOST_PIECES = 60;

/** Splits an answer into words, each with the white space after it, so that joining gives the answer back. */
export function splitWords(text: string): string[] {
  return text.match(/^\s+|\S+\s*/g) ?? [];
}

/** The pieces in which blocks are said, one block after the other. */
export function splitBlocks(blocks: readonly Block[]): Chunk[] {
  return blocks.flatMap((block, index) => {
    const pieces = block.type === 'text' ? splitWords(block.text) : splitEvenly(block.json);
    return pieces.map((text) => ({ block: index, text }));
  });
}

function splitEvenly(text: string): string[] {
  const characters = Array.from(text); // by code point: a pair of surrogates must not come apart
  const size = Math.max(PIECE_CHARACTERS, Math.ceil(characters.length / MOST_PIECES));
  const count = Math.ceil(characters.length / size);
  return Array.from({ length: count }, (_one, index) => characters.slice(index * size, (index + 1) * size).join(''));
}

/** Why an answer ends. `calls`: it waits for the results of the tools it has called. */
export type Ending = { reason: 'end' | 'length' | 'calls' } | { reason: 'stop'; sequence: string };

/** Cuts an answer before the first stop sequence and at `maxTokens`, four characters each, and says why it ends. */
export function limitAnswer(text: string, maxTokens: number, stops: string[]): { text: string; ending: Ending } {
  const found = stops
    .map((sequence) => ({ sequence, at: sequence === '' ? -1 : text.indexOf(sequence) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)[0];
  const ended = found === undefined ? text : text.slice(0, found.at);
  if (ended.length > maxTokens * 4) return { text: ended.slice(0, maxTokens * 4), ending: { reason: 'length' } };
  return { text: ended, ending: found ? { reason: 'stop', sequence: found.sequence } : { reason: 'end' } };
}

/**
 * The same for an answer of several blocks: what comes after the end is left out, and a call may be cut off in the middle of
 * its input. Stop sequences are looked for in text alone.
 */
export function limitBlocks(
  blocks: readonly Block[],
  maxTokens: number,
  stops: string[],
): { blocks: Block[]; ending: Ending } {
  const kept: Block[] = [];
  let left = maxTokens;
  for (const block of blocks) {
    if (left <= 0) return { blocks: kept, ending: { reason: 'length' } };
    const said = block.type === 'text' ? block.text : block.json;
    const { text, ending } = limitAnswer(said, left, block.type === 'text' ? stops : []);
    kept.push(block.type === 'text' ? { ...block, text } : { ...block, json: text });
    if (ending.reason !== 'end') return { blocks: kept, ending };
    left -= Math.ceil(text.length / 4);
  }
  return { blocks: kept, ending: { reason: kept.at(-1)?.type === 'call' ? 'calls' : 'end' } };
}

/**
 * Says `chunks` one by one. Ends early, without an error, when `signal` is aborted: then `record.aborted` is true.
 * `fault` interrupts after its number of chunks; a stall waits here until the client has gone.
 */
export async function* speak(
  chunks: readonly Chunk[],
  options: { pace: () => Pace; fault: StreamFault | null; signal: AbortSignal; record: AnswerRecord },
): AsyncGenerator<Spoken> {
  const { pace, fault, signal, record } = options;
  for (const [index, chunk] of chunks.entries()) {
    if (fault !== null && index >= fault.after_chunks) break;
    if (!(await waitFor(index === 0 ? pace().first_chunk_ms : pace().chunk_ms, signal))) break;
    record.chunks_sent += 1;
    yield { type: 'chunk', ...chunk };
  }
  if (!signal.aborted && fault !== null) {
    record.fault = fault.kind;
    if (fault.kind === 'stall') await untilAborted(signal);
    else yield { type: 'fault', fault: fault.kind };
  }
  record.aborted = signal.aborted;
  record.finished = !signal.aborted && fault === null;
}

/** True when the time has passed, false when the signal came first. */
async function waitFor(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return sleep(ms, true, { signal }).catch((error: unknown) => {
    if (signal.aborted) return false;
    throw error;
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
