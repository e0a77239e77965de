/** What a run may use. The launcher turns these into limits of systemd and of the kernel. */
export interface WorkLimits {
  memory_bytes: number;
  /** Processes and threads. */
  tasks: number;
  /** Of one core: 150 is one and a half. */
  cpu_percent: number;
  /** How long the place may be open, whatever happens in it. */
  seconds: number;
  /** Of its tree and home together. */
  disk_bytes: number;
}

/** Half of a small box, which goes on serving its owner beside it. */
export const DEFAULT_LIMITS: WorkLimits = {
  memory_bytes: 2 * 1024 ** 3,
  tasks: 512,
  cpu_percent: 150,
  seconds: 6 * 3600,
  disk_bytes: 10 * 1024 ** 3,
};

export type WorkErrorCode =
  | 'not_found'
  | 'is_folder'
  /** Neither a file nor a folder: a pipe, a device, a socket. */
  | 'special'
  | 'binary'
  | 'too_large'
  /** The path leads out of the tree. */
  | 'outside'
  | 'no_match'
  | 'ambiguous'
  | 'bad_pattern'
  | 'denied'
  | 'no_space'
  /** Nothing is confined here, so nothing is run. */
  | 'unavailable'
  /** The place is gone, or what came back from it made no sense. */
  | 'lost'
  | 'failed';

/** Expected failures of what a tool does. The message is for the model and for people; it holds text of the run's making. */
export class WorkError extends Error {
  readonly code: WorkErrorCode;

  constructor(code: WorkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WorkError';
    this.code = code;
  }
}

/** Where the tools of a run work. Nothing that comes back from it is to be trusted: whatever runs in there may have written it. */
export interface Workplace {
  /** Runs a program in the tree. */
  exec(command: ExecCommand): WorkProcess;
  /** Lines of a text file. `offset_lines`: how many to pass over. Throws WorkError not_found, is_folder, special, binary, too_large, outside. */
  readFile(
    path: string,
    options?: { offset_lines?: number; limit_lines?: number },
  ): Promise<{ text: string; total_lines: number; bytes: number }>;
  /** A whole file of at most `limit` bytes; throws too_large above. */
  readBytes(path: string, limit: number): Promise<Uint8Array>;
  /** Atomic: others see the old file or the new one. Folders on the way are made, its mode is kept. */
  writeFile(path: string, text: string): Promise<{ created: boolean }>;
  /** All of the edits or none. Throws no_match, and ambiguous when `old` is there more than once without `all`. */
  editFile(path: string, edits: { old: string; new: string; all?: boolean }[]): Promise<{ replaced: number }>;
  /** Files that .gitignore doesn't exclude, sorted. `pattern`: a glob; one without a slash is looked for in every folder. */
  listFiles(options: ListOptions): Promise<{ paths: string[]; more: boolean }>;
  /** Lines that match a regular expression (Perl's) in the same files. */
  search(options: SearchOptions): Promise<{ hits: SearchHit[]; more: boolean }>;
  /** What differs from the snapshot. */
  changes(): Promise<Change[]>;
  /** One of the contents that `changes` names, of at most `limit` bytes. */
  readObject(object: string, limit: number): Promise<Uint8Array>;
  /** The same as a patch of git, with binary files. */
  diff(): Promise<string>;
  /** Asked whenever something in there wants a connection. Set once, by who owns the run; until then nothing is allowed. */
  onConnect(decide: ConnectRule): void;
  /** Ends everything in there. The tree stays until `remove`. */
  close(): Promise<void>;
  readonly closed: Promise<WorkEnd>;
}

export type ConnectRule = (host: string, port: number) => Promise<'allow' | 'deny'>;

export interface ListOptions {
  pattern?: string;
  folder?: string;
  limit: number;
}

export interface SearchOptions {
  pattern: string;
  folder?: string;
  glob?: string;
  limit: number;
}

export interface SearchHit {
  path: string;
  line: number;
  text: string;
}

export interface Change {
  path: string;
  kind: 'added' | 'changed' | 'removed';
  /** As git keeps it: 0o100644, 0o100755, 0o120000 (a link); 0 of what is removed. */
  mode: number;
  /** The same in the snapshot; 0 of what is added. */
  base_mode: number;
  /** The names of the contents, as git has them. */
  object: string | null;
  base_object: string | null;
  /** null where it is not text. */
  added_lines: number | null;
  removed_lines: number | null;
  bytes: number;
}

export interface WorkEnd {
  reason: 'asked' | 'lost' | 'time' | 'memory' | 'disk';
  detail: string;
}

export interface ExecCommand {
  /** ['bash', '-lc', text] for the shell tool. */
  argv: string[];
  /** Within the tree. */
  cwd?: string;
  env?: Record<string, string>;
  tty?: { columns: number; rows: number };
  timeout_ms?: number;
}

export interface WorkProcess {
  /** With a tty: stdout only. What isn't read is waited for: backpressure reaches the program. */
  output: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Uint8Array }>;
  write(data: Uint8Array): Promise<void>;
  /** End of standard input. */
  end(): void;
  resize(columns: number, rows: number): void;
  /** To the whole group of the command. */
  kill(signal: NodeJS.Signals): void;
  /** Rejects with WorkError `lost` when the place goes away before. Settles when all of the output has been taken. */
  exit: Promise<WorkExit>;
}

export interface WorkExit {
  code: number | null;
  signal: string | null;
  timed_out: boolean;
  /** Something of the run was killed because its memory was used up while this ran. */
  out_of_memory?: true;
}

export interface RunPlace {
  /** `[a-z0-9]` and dashes, at most 63 characters. */
  id: string;
  workspace: string;
  /** A commit of the workspace's repository. */
  snapshot: string;
  limits: WorkLimits;
}

export interface Workplaces {
  /** Makes or reopens the place of a run. Progress in words, for who waits. */
  open(run: RunPlace, progress: (text: string) => void, signal: AbortSignal): Promise<Workplace>;
  /** Everything of it is gone afterwards; also when it never was. */
  remove(id: string): Promise<void>;
}
