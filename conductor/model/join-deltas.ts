/** Between two events of a stream. What ends its lines otherwise is passed on as it is. */
const END = Buffer.from('\n\n');

/**
 * The answer of a provider, in which words that came together stand in one event: a client library spends many times more on an event than on
 * its words, so that it couldn't keep up with a fast model word by word. What comes alone goes on unchanged, and nothing is held back.
 */
export function joinDeltas(response: Response): Response {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (response.body === null || !isStream) return response;
  const reader = response.body.getReader();
  const join = createJoin();
  const body = new ReadableStream<Uint8Array>({
    async pull(out) {
      const { done, value } = await reader.read();
      if (done) out.close();
      else out.enqueue(join(value));
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, response);
}

/** Joins within each chunk of the network. An event that is cut between two of them is passed on as it came. */
function createJoin(): (chunk: Uint8Array) => Uint8Array {
  let isCut = false;
  return (chunk) => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const from = isCut ? bytes.indexOf(END) + END.length : 0;
    const last = bytes.lastIndexOf(END);
    isCut = last + END.length !== bytes.length || last < 0;
    if (last < from || bytes.indexOf(END, from) === last) return chunk; // not two whole ones
    const to = last + END.length;
    return Buffer.concat([
      bytes.subarray(0, from),
      Buffer.from(joinEvents(bytes.toString('utf8', from, to))),
      bytes.subarray(to),
    ]);
  };
}

/** Words in an event. */
interface Delta {
  /** Events of the same are of one text. */
  of: string;
  words: string;
  /** The event with other words. */
  format(words: string): string;
}

function joinEvents(text: string): string {
  const parts: string[] = [];
  let open: { delta: Delta; words: string; text: string | undefined } | undefined;
  const close = (): void => {
    if (open !== undefined) parts.push(open.text ?? open.delta.format(open.words));
    open = undefined;
  };
  for (const event of text.split('\n\n').slice(0, -1)) {
    const delta = readDelta(event);
    if (open !== undefined && open.delta.of === delta?.of) {
      open = { delta: open.delta, words: open.words + delta.words, text: undefined };
    } else {
      close();
      if (delta === undefined) parts.push(event);
      else open = { delta, words: delta.words, text: event };
    }
  }
  close();
  return parts.map((part) => `${part}\n\n`).join('');
}

type Json = Record<string, unknown>;

/** Undefined for every other event, and for words that come with something else. */
function readDelta(text: string): Delta | undefined {
  const [, head = '', data = ''] = /^((?:event:[^\n]*\n)?data: ?)(\{[^\n]*\})\s*$/.exec(text) ?? [];
  if (data === '') return undefined;
  let event: unknown;
  try {
    event = JSON.parse(data);
  } catch {
    return undefined; // Whoever reads it says what is wrong with it.
  }
  const place = isObject(event) ? (findAnthropic(event) ?? findResponses(event) ?? findCompletions(event)) : undefined;
  const words = place?.holder[place.field];
  if (place === undefined || typeof words !== 'string') return undefined;
  const { of, holder, field } = place;
  const format = (all: string): string => {
    holder[field] = all;
    return `${head}${JSON.stringify(event)}`;
  };
  return { of, words, format };
}

interface Place {
  of: string;
  holder: Json;
  field: string;
}

const ANTHROPIC_FIELDS = new Map<unknown, string>([
  ['text_delta', 'text'],
  ['thinking_delta', 'thinking'],
  ['input_json_delta', 'partial_json'],
]);

function findAnthropic({ type, index, delta }: Json): Place | undefined {
  if (type !== 'content_block_delta' || !isObject(delta)) return undefined;
  const field = ANTHROPIC_FIELDS.get(delta['type']);
  return field === undefined ? undefined : { of: `${String(index)} ${field}`, holder: delta, field };
}

/** OpenAI's Responses: several kinds of text, each at its place in the output. */
function findResponses(event: Json): Place | undefined {
  const { type, item_id, output_index, content_index, summary_index, logprobs } = event;
  if (typeof type !== 'string' || !type.startsWith('response.') || !type.endsWith('.delta')) return undefined;
  if (Array.isArray(logprobs) && logprobs.length > 0) return undefined;
  const of = [type, item_id, output_index, content_index, summary_index].join(' ');
  return { of, holder: event, field: 'delta' };
}

/** What speaks like OpenAI's chat completions: words alone, without a call, an end or a bill. */
function findCompletions({ id, choices, usage }: Json): Place | undefined {
  const [choice, ...others] = Array.isArray(choices) ? (choices as unknown[]) : [];
  if (!isObject(choice) || others.length > 0 || !isAbsent(usage) || !isAbsent(choice['finish_reason']))
    return undefined;
  const { index, delta } = choice;
  if (!isObject(delta)) return undefined;
  const isPlain = Object.entries(delta).every(([name, value]) => ['role', 'content'].includes(name) || isAbsent(value));
  return isPlain ? { of: `${String(id)} ${String(index)}`, holder: delta, field: 'content' } : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined;
}
