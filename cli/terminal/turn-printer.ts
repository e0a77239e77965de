import type { ConversationEvent } from '../../contract/conversation.ts';
import type { CliDeps } from '../deps.ts';
import { createAnswerPrinter } from './answer-printer.ts';
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

/** With `--json` every event is a line on stdout. */
export function createTurnPrinter(
  deps: Pick<CliDeps, 'stdout' | 'stderr' | 'env'>,
  options: TurnPrinterOptions,
): TurnPrinter {
  let answer = createAnswerPrinter(deps, options);
  if (options.json) return answer;
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  const say = async (line: string): Promise<void> => {
    await answer.end();
    answer = createAnswerPrinter(deps, options);
    await deps.stderr.write(`${line}\n`);
  };
  let whole = '';
  return {
    async print(event) {
      switch (event.type) {
        case 'text':
          if (options.whole !== true) return answer.print(event);
          whole += event.text;
          return;
        case 'done':
          // The box has checked it. JSON.stringify leaves nothing in it that a terminal obeys but what stands in strings.
          if (options.whole === true) await deps.stdout.write(`${escapeJson(whole)}\n`);
          return;
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
        case 'notice':
          return say(style.yellow(sanitizeLine(event.message)));
        default:
          return;
      }
    },
    end: () => answer.end(),
  };
}

/** JSON on one line, everything beyond printable ASCII of control escaped. */
function escapeJson(text: string): string {
  const line = JSON.stringify(JSON.parse(text));
  return line.replaceAll(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
