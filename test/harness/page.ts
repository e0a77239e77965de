import { readFileSync } from 'node:fs';

/** A fenced block of a page. */
export interface Block {
  /** The heading of its section. */
  section: string;
  language: string;
  text: string;
}

/** What is typed after a prompt, and the lines that the page shows below it. */
export interface Call {
  section: string;
  /** Where it is typed: here, or on the box. */
  where: 'here' | 'box';
  command: string;
  shown: string[];
}

const PROMPT = /^(?:(spoq@alice:\S+)?\$ )(.*)$/;

/** The fenced blocks of a page, in order. */
export function readBlocks(file: string): Block[] {
  const parts = readFileSync(file, 'utf8').matchAll(/^## (.*)$|^```(\w*)\n([\s\S]*?)^```$/gm);
  let section = '';
  return [...parts].flatMap(([, heading, language = '', text = '']) => {
    section = heading ?? section;
    return heading === undefined ? [{ section, language, text }] : [];
  });
}

/** The commands of a page's `console` blocks. `$ ` is the prompt of the laptop, `spoq@alice:…$ ` that of the box. */
export function readCalls(blocks: Block[]): Call[] {
  return blocks
    .filter(({ language }) => language === 'console')
    .flatMap(({ section, text }) => {
      const calls: Call[] = [];
      for (const line of text.trimEnd().split('\n')) {
        const [, box, command] = PROMPT.exec(line) ?? [];
        if (command !== undefined)
          calls.push({ section, where: box === undefined ? 'here' : 'box', command, shown: [] });
        else calls.at(-1)?.shown.push(line);
      }
      return calls.map((call) => ({ ...call, shown: withoutEmptyEnd(call.shown) }));
    });
}

/** Terminals end below the last line. */
export function withoutEmptyEnd(lines: string[]): string[] {
  return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
}

/** Whether a line that was printed is the one that the page shows, where `…` is anything within the line. */
export function isShown(printed: string | undefined, shown: string | undefined): boolean {
  if (printed === undefined || shown === undefined) return printed === shown;
  const parts = shown.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`).test(printed);
}
