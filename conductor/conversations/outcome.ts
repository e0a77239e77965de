import type { ConversationEvent } from '../../contract/conversation.ts';
import type { SpoqError } from '../../contract/errors.ts';

/** How a turn ends: with an answer, or with a failure that was expected. */
export type Outcome =
  | {
      stop_reason: string;
      input_tokens: number | null;
      output_tokens: number | null;
      /** Millionths of a US dollar; null when the price is not known, undefined where no model was asked. */
      cost_micros?: number | null;
      /** The one that answered. */
      model?: string;
    }
  | { failure: SpoqError; input_tokens?: number | null; output_tokens?: number | null; cost_micros?: number | null };

/** The last event of a turn. */
export function describeOutcome(outcome: Outcome): ConversationEvent {
  if ('failure' in outcome) return toErrorEvent(outcome.failure);
  const { cost_micros } = outcome;
  return {
    type: 'done',
    stop_reason: outcome.stop_reason,
    input_tokens: outcome.input_tokens,
    output_tokens: outcome.output_tokens,
    ...(cost_micros === undefined ? {} : { cost_usd: cost_micros === null ? null : cost_micros / 1_000_000 }),
    ...(outcome.model === undefined ? {} : { model: outcome.model }),
  };
}

/** A failure as the last event of a turn. */
export function toErrorEvent(failure: SpoqError): ConversationEvent {
  return {
    type: 'error',
    code: failure.code,
    title: failure.title,
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
    next_step: failure.next,
    ...(failure.retryAfterSeconds === undefined ? {} : { retry_after_seconds: failure.retryAfterSeconds }),
  };
}

/** Whether a turn is over with this event. */
export function isLast(event: ConversationEvent): boolean {
  return event.type === 'done' || event.type === 'error';
}
