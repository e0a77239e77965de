import { z } from 'zod';

/**
 * A fault in the middle of an answer, told in advance: after `after_chunks` words of the next `times` streams, either the
 * vendor's own error event (`error`, `overloaded`), silence until the client goes (`stall`), or a closed connection (`cut`).
 */
export const StreamFault = z.object({
  after_chunks: z.number().int().min(0).default(3),
  kind: z.enum(['error', 'overloaded', 'stall', 'cut']),
  times: z.number().int().min(1).default(1),
});
export type StreamFault = z.infer<typeof StreamFault>;

/** One answer that was or is being given, as kept for tests and the page. */
export interface AnswerRecord {
  id: string;
  at: string;
  model: string;
  stream: boolean;
  chunks_total: number;
  chunks_sent: number;
  finished: boolean;
  aborted: boolean;
  fault: StreamFault['kind'] | null;
}

/** What a model vendor remembers: faults to come and the latest answers. */
export interface ModelState {
  stream_faults: StreamFault[];
  answers: AnswerRecord[];
}

/** As many as one can look at; the request log has the rest. */
const KEPT_ANSWERS = 200;

export function createModelState(): ModelState {
  return { stream_faults: [], answers: [] };
}

/** Takes the next fault, once. */
export function takeStreamFault(state: ModelState): StreamFault | null {
  const fault = state.stream_faults[0];
  if (fault === undefined) return null;
  if (fault.times > 1) fault.times -= 1;
  else state.stream_faults.shift();
  return { ...fault };
}

export function recordAnswer(state: ModelState, answer: AnswerRecord): AnswerRecord {
  state.answers.push(answer);
  if (state.answers.length > KEPT_ANSWERS) state.answers.shift();
  return answer;
}
