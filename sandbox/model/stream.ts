import { setTimeout as sleep } from 'node:timers/promises';
import type { AnswerRecord, StreamFault } from './script.ts';

/** Milliseconds before the first word, and between two. */
export interface Pace {
  first_chunk_ms: number;
  chunk_ms: number;
}

/** What comes out of a paced answer: words, and at most one fault, at its end. */
export type Spoken = { type: 'text'; text: string } | { type: 'fault'; fault: 'error' | 'overloaded' | 'cut' };

/** Splits an answer into words, each with the white space after it, so that joining gives the answer back. */
export function splitWords(text: string): string[] {
  return text.match(/^\s+|\S+\s*/g) ?? [];
}

export type Ending = { reason: 'end' } | { reason: 'length' } | { reason: 'stop'; sequence: string };

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
 * Says `words` one by one. Ends early, without an error, when `signal` is aborted: then `record.aborted` is true.
 * `fault` interrupts after its number of words; a stall waits here until the client has gone.
 */
export async function* speak(
  words: string[],
  options: { pace: () => Pace; fault: StreamFault | null; signal: AbortSignal; record: AnswerRecord },
): AsyncGenerator<Spoken> {
  const { pace, fault, signal, record } = options;
  for (const [index, text] of words.entries()) {
    if (fault !== null && index >= fault.after_chunks) break;
    if (!(await waitFor(index === 0 ? pace().first_chunk_ms : pace().chunk_ms, signal))) break;
    record.chunks_sent += 1;
    yield { type: 'text', text };
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
