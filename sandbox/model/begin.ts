import type { Delays } from '../delays.ts';
import { countTokens } from './conversation.ts';
import type { Answer } from './script.ts';
import { createClientSignal } from './serve.ts';
import type { ModelRequest } from './serve.ts';
import { recordAnswer, takeFault } from './state.ts';
import type { AnswerRecord, ModelState } from './state.ts';
import { limitBlocks, speak, splitBlocks } from './stream.ts';
import type { Block, Ending, Spoken } from './stream.ts';

/** An answer that has begun: its facts, its blocks, and their pieces as they are said. */
export interface Answering {
  record: AnswerRecord;
  /** At least one; those of an answer that was cut short hold what is left. */
  blocks: readonly Block[];
  /** Why it ends: by itself, for its calls, at the token limit, or before one of the stop sequences. */
  ending: Ending;
  spoken: AsyncGenerator<Spoken>;
  /** Tokens of all that has been said so far. */
  countSpoken(): number;
}

export interface AnswerOptions {
  id: string;
  model: string;
  stream: boolean;
  answer: Answer;
  /** An id of the vendor's for a call. */
  inventCallId: () => string;
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
  const { blocks, ending } = limitBlocks(
    listBlocks(options.answer, options.inventCallId),
    options.maxTokens ?? Infinity,
    options.stopSequences ?? [],
  );
  const chunks = splitBlocks(blocks);
  const record = recordAnswer(deps.state, {
    id: options.id,
    at: deps.now().toISOString(),
    model: options.model,
    stream: options.stream,
    calls: blocks.flatMap((block) => (block.type === 'call' ? [block.name] : [])),
    chunks_total: chunks.length,
    chunks_sent: 0,
    finished: false,
    aborted: false,
    fault: null,
  });
  const spoken = speak(chunks, {
    pace: () => ({ first_chunk_ms: deps.delays.model_first_chunk_ms, chunk_ms: deps.delays.model_chunk_ms }),
    fault: takeFault(deps.state.stream_faults, options.model),
    signal: createClientSignal(ctx.res),
    record,
  });
  const countSpoken = (): number => {
    const said = chunks.slice(0, record.chunks_sent).map(({ text }) => text);
    return countTokens(said.join(''));
  };
  return { record, blocks, ending, spoken, countSpoken };
}

function listBlocks({ text, calls }: Answer, inventCallId: () => string): Block[] {
  const called = calls.map(({ name, input }): Block => ({
    type: 'call',
    id: inventCallId(),
    name,
    json: JSON.stringify(input),
  }));
  return text === '' && called.length > 0 ? called : [{ type: 'text', text }, ...called];
}

/** Waits for the whole answer and gives its blocks. Throws what `fail` makes of a fault; a cut closes the connection. */
export async function collectAnswer(
  ctx: ModelRequest,
  answering: Answering,
  fail: (fault: 'error' | 'overloaded') => Error,
): Promise<readonly Block[]> {
  for await (const spoken of answering.spoken) {
    if (spoken.type === 'chunk') continue;
    if (spoken.fault !== 'cut') throw fail(spoken.fault);
    ctx.res.destroy();
  }
  return answering.blocks;
}
