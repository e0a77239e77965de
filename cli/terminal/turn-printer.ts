import type { ConversationEvent } from '../../contract/conversation.ts';
import type { CliDeps } from '../deps.ts';
import { createAnswerPrinter } from './answer-printer.ts';
import { describeCost } from './money.ts';
import { sanitizeLine, sanitizeText } from './sanitize.ts';
import { canStyle, createStyle } from './style.ts';

/** Writes what happens in a conversation while it happens: answers to stdout, everything else to stderr. */
export interface TurnPrinter {
  print(event: ConversationEvent): Promise<void>;
  /** The rest and the last line break. Safe to call more than once. */
  end(): Promise<void>;
}

export interface TurnPrinterOptions {
  json: boolean;
  noColor: boolean;
  /** Also what was asked, for who wasn't there. */
  questions: boolean;
  /** Answer JSON only when it is whole, on one line. */
  whole?: boolean;
}

/** Of what one call writes. All of it is on the box. */
const SHOWN_LINES = 12;
const DECISIONS = { allow: 'allowed once', always: 'allowed from now on', deny: 'denied' } as const;

/** With `--json` every event is a line on stdout. */
export function createTurnPrinter(
  deps: Pick<CliDeps, 'stdout' | 'stderr' | 'env'>,
  options: TurnPrinterOptions,
): TurnPrinter {
  let answer = createAnswerPrinter(deps, options);
  if (options.json) return answer;
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  const endAnswer = async (): Promise<void> => {
    await answer.end();
    answer = createAnswerPrinter(deps, options);
  };
  const say = async (line: string): Promise<void> => {
    await endAnswer();
    await deps.stderr.write(`${line}\n`);
  };
  const shown = new Map<string, number>();
  const showOutput = async ({
    call,
    text = '',
  }: Extract<ConversationEvent, { type: 'tool_output' }>): Promise<void> => {
    const before = shown.get(call) ?? 0;
    const lines = sanitizeText(text).replace(/\n$/, '').split('\n');
    shown.set(call, before + lines.length);
    for (const line of lines.slice(0, Math.max(0, SHOWN_LINES - before))) await say(style.dim(`  │ ${line}`));
    if (before <= SHOWN_LINES && before + lines.length > SHOWN_LINES) await say(style.dim('  │ …'));
  };
  let whole = '';
  return {
    async print(event) {
      switch (event.type) {
        case 'text':
          if (options.whole !== true) return answer.print(event);
          whole += event.text;
          return;
        case 'done': {
          // The box has checked it. JSON.stringify leaves nothing in it that a terminal obeys but what stands in strings.
          if (options.whole === true) await deps.stdout.write(`${escapeJson(whole)}\n`);
          const cost = describeCost(event);
          return cost === undefined ? undefined : say(style.dim(sanitizeLine(cost)));
        }
        case 'start': {
          if (!options.questions) return;
          const lines = sanitizeText(event.text).split('\n');
          return say(style.bold(lines.map((line) => `> ${line}`).join('\n')));
        }
        case 'tool_call':
          return say(`${style.dim('●')} ${sanitizeLine(event.title)}`);
        case 'tool_result': {
          const mark = event.outcome === 'ok' ? style.dim('└') : style.yellow('└');
          return say(`  ${mark} ${style.dim(sanitizeLine(event.summary))}`);
        }
        case 'tool_output':
          return showOutput(event);
        case 'approval_request': // what was said before stands above the question, whole
          return endAnswer();
        case 'approval':
          return say(style.dim(`  ${DECISIONS[event.decision]} (${sanitizeLine(event.by)})`));
        case 'changes':
          return event.files === 0 ? undefined : say(describeChanges(event));
        case 'exit':
          return event.code === 0 ? undefined : say(`  ${style.yellow(describeExit(event))}`);
        case 'notice':
          return say(style.yellow(sanitizeLine(event.message)));
        default:
          return;
      }
    },
    end: () => answer.end(),
  };
}

/** As after a run, for a person. */
export function describeChanges(event: Extract<ConversationEvent, { type: 'changes' }>): string {
  const { files, added_lines: added, removed_lines: removed } = event;
  return `${files} ${files === 1 ? 'file' : 'files'} changed, +${added} -${removed}. Look: spoq diff. Take: spoq apply. Drop: spoq discard.`;
}

function describeExit({ code, signal }: Extract<ConversationEvent, { type: 'exit' }>): string {
  return code === null ? `ended by ${signal ?? 'a signal'}` : `exit code ${code}`;
}

/** JSON on one line, everything beyond printable ASCII of control escaped. */
function escapeJson(text: string): string {
  const line = JSON.stringify(JSON.parse(text));
  return line.replaceAll(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
