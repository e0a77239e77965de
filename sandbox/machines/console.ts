import { stripVTControlCharacters } from 'node:util';

/** How many lines a machine's console keeps. */
const LINES = 500;
const LINE_LIMIT = 2000;

export interface Console {
  lines(): string[];
  /** Adds a line of the machine itself. */
  say(line: string): void;
  /** Reads lines out of a stream; calls back with each. */
  follow(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): void;
}

/** The last lines that a machine wrote. */
export function createConsole(): Console {
  const lines: string[] = [];
  const say = (line: string): void => {
    // A system that boots colours what it says, for a terminal.
    lines.push(stripVTControlCharacters(line).replaceAll('\r', '').slice(0, LINE_LIMIT));
    if (lines.length > LINES) lines.shift();
  };
  return {
    lines: () => [...lines],
    say,
    follow(stream, onLine) {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = (parts.pop() ?? '').slice(-1_000_000);
        for (const line of parts) {
          say(line);
          onLine?.(line);
        }
      });
    },
  };
}
