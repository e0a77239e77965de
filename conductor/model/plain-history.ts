import type { ModelMessage } from 'ai';

const MAX_RESULT = 4000;

/**
 * What was said in words alone, for who has no tools: providers refuse calls of tools that they are not told of. What a run has called, and
 * what came of it, becomes text; long results are cut.
 */
export function toPlainHistory(messages: ModelMessage[]): ModelMessage[] {
  const plain: { role: 'user' | 'assistant'; content: string }[] = [];
  const add = (role: 'user' | 'assistant', content: string): void => {
    const last = plain.at(-1);
    if (last?.role === role) last.content += `\n\n${content}`;
    else if (content !== '') plain.push({ role, content });
  };
  if (!messages.some(({ role, content }) => role === 'tool' || (role === 'assistant' && typeof content !== 'string')))
    return messages;
  for (const message of messages) {
    if (message.role === 'system') continue;
    if (typeof message.content === 'string') {
      add(message.role === 'user' ? 'user' : 'assistant', message.content);
      continue;
    }
    for (const part of message.content) {
      if (part.type === 'text') add(message.role === 'user' ? 'user' : 'assistant', part.text);
      else if (part.type === 'tool-call') add('assistant', `[Called ${part.toolName}: ${JSON.stringify(part.input)}]`);
      else if (part.type === 'tool-result') add('user', `[${part.toolName} answered: ${describeOutput(part.output)}]`);
    }
  }
  return plain;
}

function describeOutput(output: { type: string; value?: unknown }): string {
  const text = typeof output.value === 'string' ? output.value : JSON.stringify(output.value ?? '');
  return text.length > MAX_RESULT ? `${text.slice(0, MAX_RESULT)}…` : text;
}
