import { createModelMessage } from '../model/conversation.ts';
import type { ModelMessage } from '../model/conversation.ts';
import { OpenAIError } from './errors.ts';
import { parseJson, readContent } from './read-input.ts';
import type { ChatMessage } from './request.ts';

/** The conversation of a request to /v1/chat/completions. Throws OpenAIError, 400. */
export function readChat(messages: readonly ChatMessage[]): { system: string; messages: ModelMessage[] } {
  checkCalls(messages);
  const system: string[] = [];
  const read = messages.flatMap((message, index): ModelMessage[] => {
    const { role, content, tool_calls, tool_call_id } = message;
    const said = readContent(content ?? '', `messages[${index}].content`);
    switch (role) {
      case 'system':
      case 'developer':
        system.push(said.text);
        return [];
      case 'tool':
      case 'function': {
        const results = [{ call_id: tool_call_id ?? '', text: said.text, is_error: false }];
        return [createModelMessage('user', { ...said, text: '', results })];
      }
      case 'assistant': {
        const calls = (tool_calls ?? []).map((call) => ({
          id: call.id,
          name: call.function?.name ?? '',
          input: parseJson(call.function?.arguments ?? '{}'),
        }));
        return [createModelMessage('assistant', { ...said, calls })];
      }
      case 'user':
        return [createModelMessage('user', said)];
    }
  });
  return { system: system.join('\n'), messages: read };
}

/** The messages of role `tool` after an answer must be the results of its calls, all of them. */
function checkCalls(messages: readonly ChatMessage[]): void {
  let open: string[] = [];
  for (const [index, { role, tool_calls, tool_call_id = '' }] of messages.entries()) {
    if (role === 'tool') {
      if (!open.includes(tool_call_id)) {
        throw new OpenAIError(400, {
          message:
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
          param: `messages.[${index}].role`,
        });
      }
      open = open.filter((id) => id !== tool_call_id);
      continue;
    }
    requireNone(open);
    open = (tool_calls ?? []).map(({ id }) => id);
  }
  requireNone(open);
}

function requireNone(open: string[]): void {
  if (open.length === 0) return;
  throw new OpenAIError(400, {
    message:
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. " +
      `The following tool_call_ids did not have response messages: ${open.join(', ')}`,
    param: 'messages',
  });
}
