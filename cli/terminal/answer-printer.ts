import type { ConversationEvent } from '../../contract/conversation.ts';
import type { CliDeps } from '../deps.ts';
import { createMarkdownRenderer } from './markdown.ts';
import { createSanitizer } from './sanitize.ts';
import { canStyle } from './style.ts';

/** Writes an answer to stdout while it arrives. */
export interface AnswerPrinter {
  print(event: ConversationEvent): Promise<void>;
  /** The rest and the last line break. Safe to call more than once. */
  end(): Promise<void>;
}

/**
 * Makes the printer: events as JSON lines with `--json`; markdown rendered on a terminal that shows styles; else the text as it
 * comes, without what a terminal would obey.
 */
export function createAnswerPrinter(
  deps: Pick<CliDeps, 'stdout' | 'env'>,
  options: { json: boolean; noColor: boolean },
): AnswerPrinter {
  if (options.json) {
    return {
      print: (event) => deps.stdout.write(`${JSON.stringify(event)}\n`),
      end: () => Promise.resolve(),
    };
  }
  const sanitizer = createSanitizer();
  const renderer = canStyle(deps.stdout, deps.env, options.noColor)
    ? createMarkdownRenderer(() => deps.stdout.columns)
    : undefined;
  let isLineOpen = false;
  const write = async (text: string): Promise<void> => {
    if (text === '') return;
    isLineOpen = !text.endsWith('\n');
    await deps.stdout.write(text);
  };
  return {
    async print(event) {
      if (event.type !== 'text') return;
      const text = sanitizer.push(event.text);
      await write(renderer === undefined ? text : renderer.push(text));
    },
    async end() {
      if (renderer !== undefined) await write(renderer.end());
      if (isLineOpen) await write('\n');
    },
  };
}
