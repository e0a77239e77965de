import type { ConversationEvent } from '../../contract/conversation.ts';

/** US dollars for a person: two digits after the point; for less than ten cents, two digits that say something. */
export function formatUsd(usd: number): string {
  if (usd === 0 || usd >= 0.1)
    return `$${usd.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${usd.toLocaleString('en', { maximumSignificantDigits: 2, maximumFractionDigits: 6 })}`;
}

/** What an answer took: "1,204 tokens in, 310 out, $0.0094, claude-sonnet-5-5"; nothing where the box doesn't say. */
export function describeCost(event: Extract<ConversationEvent, { type: 'done' }>): string | undefined {
  const { input_tokens, output_tokens, cost_usd, model } = event;
  if (typeof cost_usd !== 'number' || input_tokens === null || output_tokens === null) return undefined;
  const parts = [
    `${input_tokens.toLocaleString('en')} tokens in`,
    `${output_tokens.toLocaleString('en')} out`,
    formatUsd(cost_usd),
    ...(model === undefined ? [] : [model]),
  ];
  return parts.join(', ');
}
