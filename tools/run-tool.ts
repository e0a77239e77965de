import path from 'node:path';
import { createTerminal, ToolError } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** What a command of tools/ is given by its surroundings. */
export interface ToolContext {
  /** The clone. */
  root: string;
  env: NodeJS.ProcessEnv;
  args: string[];
  /** Talk, on stderr. */
  terminal: Terminal;
  /** One line of result, on stdout. */
  print: (line: string) => void;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP. */
  signal: AbortSignal;
  /** Registers what has to be ended when the tool ends, however it ends; the last registered goes first. */
  onEnd: (end: () => Promise<void> | void) => void;
}

/** The same Ctrl-C reaches a tool twice or three times: from the terminal, from npm and from tools/setup.mjs. */
const SAME_PRESS_MS = 1000;
const SIGNALS: Record<string, number> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Runs the body of a command: expected failures become a sentence on stderr, signals abort `signal`, everything registered with
 * `onEnd` is ended once, in reverse order, and the process exits with the right code. The one place in tools/ that does so.
 */
export async function runTool(body: (context: ToolContext) => Promise<number | void>): Promise<never> {
  const { env } = process;
  const noColor = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  const terminal = createTerminal(process.stderr, { color: process.stderr.isTTY === true && !noColor });
  const abort = new AbortController();
  const endings: (() => Promise<void> | void)[] = [];
  let signalCode: number | undefined;
  let signalledAt = 0;

  for (const name of Object.keys(SIGNALS)) {
    process.on(name, () => {
      if (signalCode !== undefined && Date.now() - signalledAt > SAME_PRESS_MS)
        terminal.line('Still ending what was started; a moment.');
      if (signalCode === undefined) signalledAt = Date.now();
      signalCode ??= SIGNALS[name] ?? 1;
      abort.abort(new ToolError('Stopped.', { exitCode: signalCode }));
    });
  }
  // A closed terminal or pipe must not keep us from ending our children.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

  const context: ToolContext = {
    root: path.dirname(import.meta.dirname),
    env,
    args: process.argv.slice(2),
    terminal,
    print: (line) => void process.stdout.write(`${line}\n`),
    signal: abort.signal,
    onEnd: (end) => void endings.push(end),
  };
  let code: number;
  try {
    code = (await body(context)) ?? 0;
  } catch (error) {
    code = explain(error, terminal, abort.signal);
  }
  for (const end of endings.toReversed()) {
    try {
      await end();
    } catch (error) {
      code = code === 0 ? 1 : code;
      terminal.line(`While ending: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  process.exit(code);
}

/** `work`, unless `signal` is aborted first: then its reason is thrown. */
export function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function explain(error: unknown, terminal: Terminal, signal: AbortSignal): number {
  if (signal.aborted && signal.reason instanceof ToolError) return signal.reason.exitCode;
  const red = terminal.colors.red;
  if (error instanceof ToolError) {
    terminal.line(red(error.message));
    return error.exitCode;
  }
  if (error instanceof Error && error.name === 'ConfigError') {
    terminal.line(red(error.message));
    return 78; // EX_CONFIG of sysexits.h
  }
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
    terminal.line(red(`${error.message} See --help.`));
    return 64; // EX_USAGE
  }
  terminal.line(red(error instanceof Error ? (error.stack ?? error.message) : String(error)));
  return 1;
}
