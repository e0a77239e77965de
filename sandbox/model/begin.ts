import type { Delays } from '../delays.ts';
import { countTokens } from './answer.ts';
import { recordAnswer, takeStreamFault } from './script.ts';
import type { AnswerRecord, ModelState } from './script.ts';
import { createClientSignal } from './serve.ts';
import type { ModelRequest } from './serve.ts';
import { limitAnswer, speak, splitWords } from './stream.ts';
import type { Ending, Spoken } from './stream.ts';

/** An answer that has begun: its facts, and its words as they are said. */
export interface Answering {
  record: AnswerRecord;
  /** Why it ends: by itself, at the token limit, or before one of the stop sequences. */
  ending: Ending;
  spoken: AsyncGenerator<Spoken>;
  /** Tokens of all that has been said so far. */
  countSpoken(): number;
}

export interface AnswerOptions {
  id: string;
  model: string;
  stream: boolean;
  text: string;
  /** Tokens; without a limit when left out. */
  maxTokens?: number;
  stopSequences?: string[];
}

/** Begins to answer the request of `ctx` at the sandbox's pace, with the next stream fault if one waits. */
export function beginAnswer(
  deps: { state: ModelState; delays: Delays; now: () => Date },
  ctx: ModelRequest,
  options: AnswerOptions,
): Answering {
  const { text, ending } = limitAnswer(options.text, options.maxTokens ?? Infinity, options.stopSequences ?? []);
  const words = splitWords(text);
  const record = recordAnswer(deps.state, {
    id: options.id,
    at: deps.now().toISOString(),
    model: options.model,
    stream: options.stream,
    chunks_total: words.length,
    chunks_sent: 0,
    finished: false,
    aborted: false,
    fault: null,
  });
  const spoken = speak(words, {
    pace: () => ({ first_chunk_ms: deps.delays.model_first_chunk_ms, chunk_ms: deps.delays.model_chunk_ms }),
    fault: takeStreamFault(deps.state),
    signal: createClientSignal(ctx.res),
    record,
  });
  return { record, ending, spoken, countSpoken: () => countTokens(words.slice(0, record.chunks_sent).join('')) };
}
