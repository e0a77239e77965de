import type { ServerResponse } from 'node:http';
import type { ModelCall, Speak } from './model-server.ts';

/** One answer of a scripted model. */
export interface ModelStep {
  text?: string;
  calls?: { name: string; input: unknown }[];
  /** What it has cost; a little when left out. */
  tokens?: { input: number; output: number };
}

interface Block {
  type: string;
  text?: string;
  tool_use_id?: string;
  content?: unknown;
  is_error?: boolean;
}

/** The messages of a call of Anthropic's, each as its blocks. */
export function readMessages(call: ModelCall): { role: string; content: Block[] }[] {
  const { messages } = call.body as { messages: { role: string; content: string | Block[] }[] };
  return messages.map(({ role, content }) => ({
    role,
    content: typeof content === 'string' ? [{ type: 'text', text: content }] : content,
  }));
}

/** What the model was told last of its calls, as text. */
export function readResults(call: ModelCall): string[] {
  const last = readMessages(call).at(-1)?.content ?? [];
  return last
    .filter(({ type }) => type === 'tool_result')
    .map(({ content }) =>
      typeof content === 'string' ? content : ((content as Block[] | undefined)?.[0]?.text ?? JSON.stringify(content)),
    );
}

/** Answers as a script says: which step it is, the number of answers in the conversation tells. The last one is repeated. */
export function playScript(steps: ModelStep[]): Speak {
  return (res, call) => {
    const played = readMessages(call).filter(({ role }) => role === 'assistant').length;
    answerStep(res, steps[Math.min(played, steps.length - 1)] ?? {}, played);
  };
}

/** A whole answer of Anthropic's with text and calls. */
export function answerStep(res: ServerResponse, { text, calls = [], tokens }: ModelStep, number: number): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const write = (event: { type: string } & Record<string, unknown>): void =>
    void res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const usage = { input_tokens: tokens?.input ?? 12, output_tokens: 1 };
  const message = { id: `msg_${number}`, type: 'message', role: 'assistant', model: 'claude', content: [] };
  write({ type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } });
  let index = 0;
  if (text !== undefined) {
    write({ type: 'content_block_start', index, content_block: { type: 'text', text: '' } });
    write({ type: 'content_block_delta', index, delta: { type: 'text_delta', text } });
    write({ type: 'content_block_stop', index });
    index += 1;
  }
  for (const [at, { name, input }] of calls.entries()) {
    const block = { type: 'tool_use', id: `call_${number}_${at}`, name, input: {} };
    write({ type: 'content_block_start', index, content_block: block });
    write({
      type: 'content_block_delta',
      index,
      delta: { type: 'input_json_delta', partial_json: JSON.stringify(input) },
    });
    write({ type: 'content_block_stop', index });
    index += 1;
  }
  const stop_reason = calls.length > 0 ? 'tool_use' : 'end_turn';
  write({
    type: 'message_delta',
    delta: { stop_reason, stop_sequence: null },
    usage: { output_tokens: tokens?.output ?? 7 },
  });
  write({ type: 'message_stop' });
  res.end();
}

/** Scripts by what the last question says. Where none fits, the model says so. The list of models is there for whoever checks a key. */
export function playScripts(
  scripts: { match: string; steps: ModelStep[] }[],
  rest: ModelStep = { text: 'No script is for that.' },
): Speak {
  return (res, call) => {
    if (call.path.endsWith('/models')) return void res.writeHead(200).end('{"data":[]}');
    const messages = readMessages(call);
    const isQuestion = ({ role, content }: { role: string; content: Block[] }): boolean =>
      role === 'user' && content.some(({ type }) => type === 'text');
    const last = messages.findLastIndex(isQuestion);
    const question = (messages[last]?.content ?? []).map(({ text = '' }) => text).join('\n');
    const played = messages.slice(last + 1).filter(({ role }) => role === 'assistant').length;
    const steps = scripts.find(({ match }) => question.includes(match))?.steps ?? [rest];
    return answerStep(res, steps[Math.min(played, steps.length - 1)] ?? {}, messages.length);
  };
}
