import { z } from 'zod';

const forModel = { model: z.string().min(1).optional().describe('Only requests for this model; all when left out') };

/**
 * A fault in the middle of an answer, told in advance: after `after_chunks` pieces of the next `times` streams, either the
 * vendor's own error event (`error`, `overloaded`), silence until the client goes (`stall`), or a closed connection (`cut`).
 */
export const StreamFault = z.strictObject({
  after_chunks: z.number().int().min(0).default(3),
  kind: z.enum(['error', 'overloaded', 'stall', 'cut']),
  times: z.number().int().min(1).default(1),
  ...forModel,
});
export type StreamFault = z.infer<typeof StreamFault>;

/** A refusal before an answer begins, told in advance, as the vendor refuses when it is overloaded, slowed down or broken. */
export const Refusal = z.strictObject({
  kind: z.enum(['overloaded', 'rate_limited', 'error']),
  retry_after_seconds: z.number().int().min(0).max(86_400).optional().describe('Sent as Retry-After'),
  times: z.number().int().min(0).default(1).describe('How many requests; 0: all until it is removed'),
  ...forModel,
});
export type Refusal = z.infer<typeof Refusal>;

/** One answer that was or is being given, as kept for tests and the page. */
export interface AnswerRecord {
  id: string;
  at: string;
  model: string;
  stream: boolean;
  /** Names of the tools that it calls. */
  calls: string[];
  chunks_total: number;
  chunks_sent: number;
  finished: boolean;
  aborted: boolean;
  fault: StreamFault['kind'] | null;
}

/** What a model vendor remembers until it is restarted: faults to come and the latest answers. */
export interface ModelState {
  stream_faults: StreamFault[];
  refusals: Refusal[];
  answers: AnswerRecord[];
}

/** As many as one can look at; the request log has the rest. */
const KEPT_ANSWERS = 200;

export function createModelState(): ModelState {
  return { stream_faults: [], refusals: [], answers: [] };
}

/** Takes the first fault or refusal that is meant for `model`, once. */
export function takeFault<T extends { times: number; model?: string }>(faults: T[], model: string): T | null {
  const index = faults.findIndex((one) => one.model === undefined || one.model === model);
  const fault = faults[index];
  if (fault === undefined) return null;
  if (fault.times === 1) faults.splice(index, 1);
  else if (fault.times > 1) fault.times -= 1;
  return { ...fault };
}

export function recordAnswer(state: ModelState, answer: AnswerRecord): AnswerRecord {
  state.answers.push(answer);
  if (state.answers.length > KEPT_ANSWERS) state.answers.shift();
  return answer;
}
