import type { HttpClient } from './http/client.ts';

/** Where text goes. `write` settles when the reader can take more. */
export interface Output {
  write(text: string): Promise<void>;
  isTTY: boolean;
  /** Width in characters at this moment; 80 where it isn't a terminal. */
  readonly columns: number;
}

/** Where text comes from. `piped` says that it is a pipe, a socket or a file, so that reading it makes sense. */
export interface Input {
  isTTY: boolean;
  piped: boolean;
  chunks(): AsyncIterable<Uint8Array>;
  /** Lets go of it, so that an open pipe doesn't keep the process alive. */
  close(): void;
}

/** The terminal that both ends of this program are, for a program that is run elsewhere. */
export interface Terminal {
  size(): { columns: number; rows: number };
  /** Whether keys come as they are pressed, Ctrl-C as well. */
  setRaw(on: boolean): void;
  /** Returns what ends it. */
  onResize(tell: () => void): () => void;
}

/** A key that was pressed. */
export interface Key {
  /** As node:readline calls it: return, enter (Ctrl-J), escape, left, paste-start; `resize` for the window's new width, `closed` where no more keys come. */
  name: string | undefined;
  /** What it types, if anything. */
  text: string;
  ctrl: boolean;
  meta: boolean;
}

export interface ListenOptions {
  lines: boolean;
  pastes?: boolean;
}

/** Where a person types. */
export interface Keyboard {
  /**
   * Calls `onKey` for each key, Ctrl-C too, until the returned function is called; who listens last is told alone. `lines`: whole
   * lines, which the terminal shows and corrects itself. `pastes`: the terminal is asked to mark what is pasted.
   */
  listen(onKey: (key: Key) => void, options: ListenOptions): () => void;
}

/** This very program as a file. */
export interface Executable {
  path: string;
  /** The key whose releases it trusts, which was compiled into it. */
  publicKey: string;
}

/** Everything that a command may touch outside of itself. */
export interface CliDeps {
  stdout: Output;
  stderr: Output;
  stdin: Input;
  env: Readonly<Record<string, string | undefined>>;
  platform: string;
  /** The processor, as Node calls it: x64, arm64. */
  arch: string;
  /** This program where it was compiled; nothing where its sources are run. */
  executable?: Executable;
  /** Name of this computer, shown on the verify page. */
  hostname: string;
  cwd: string;
  homeFolder: string;
  http: HttpClient;
  /** Starts the browser and doesn't wait for it. */
  openUrl(url: string): void;
  /** Asks a yes or no question on the terminal. */
  confirm(question: string): Promise<boolean>;
  /** Lets the person choose on the terminal; answers the value. Rejects with `cancelled` when they leave it, and when the signal fires. */
  choose(question: string, choices: { value: string; text: string }[], signal: AbortSignal): Promise<string>;
  /** Writes bytes as they are. */
  writeBytes(stream: 'stdout' | 'stderr', data: Uint8Array): Promise<void>;
  /** Where both ends are one. */
  terminal?: Terminal;
  /** Ctrl-C is told here instead of stopping this program, until what is returned is called. */
  onInterrupt(tell: () => void): () => void;
  /** Asks for a secret on the terminal, and shows nothing of it. */
  askSecret(question: string): Promise<string>;
  keyboard: Keyboard;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Settles after so many milliseconds, or rejects with `cancelled` when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Fires when the person wants to stop (Ctrl-C). */
  signal: AbortSignal;
}
