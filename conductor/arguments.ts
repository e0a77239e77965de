import { parseArgs } from 'node:util';
import { SpoqError } from '../contract/errors.ts';

const DEFAULT_CONFIG_PATH = '/etc/conductor/config.toml';
const DEFAULT_STATE_DIR = '/var/lib/conductor';

/** Answers that run get this long to end by themselves; people and the sandbox expect an end within 10 s. */
const DEFAULT_GRACE_SECONDS = 8;
const DEFAULT_WAIT_SECONDS = 20;
/** Where the programs of a run find their way out. */
const PROXY_PORT = 3128;

export const HELP = `conductor: answers questions on a Spoq box

  conductor [--config FILE] [--socket PATH] [--port N] [--state DIR] [--grace SECONDS]
  conductor check [--config FILE] [--socket PATH] [--port N] [--wait SECONDS]
    asks the conductor that runs, on both ways in, and ends with 0 as soon as it answers
  conductor name [--config FILE] [--wait SECONDS]
    asks the name servers of this box's name, and ends with 0 as soon as it leads to this machine
  conductor work --home DIR --workspace NAME --repository DIR [--proxy-port N]
    works for one run, on standard input and output: started inside the confinement of the run, not by people

  conductor files --home DIR [--socket PATH] [--idle SECONDS]
    serves the files in that home to the conductor, on this socket or on the one that systemd has opened

  --config FILE    configuration (default ${DEFAULT_CONFIG_PATH})
  --socket PATH    Unix socket for remote requests, each with a token; overrides server.socket
  --port N         port on 127.0.0.1 for requests of this machine, 0 for any; overrides server.port
  --state DIR      where public keys are kept across restarts (default ${DEFAULT_STATE_DIR})
  --grace SECONDS  how long answers may go on after SIGTERM (default ${DEFAULT_GRACE_SECONDS})
  --wait SECONDS   how long check and name wait, 0 to ask once (default ${DEFAULT_WAIT_SECONDS})
  --home DIR       the home whose workspaces are served
  --attached       files ends when its standard input does
  --files DIR      without systemd: serve the files in that home as well, by a process of its own
  --idle SECONDS   files ends when nobody has come for so long (default: never)
  --version        print the version
  --help           print this

Model keys come from ANTHROPIC_API_KEY and OPENAI_API_KEY, the log level from LOG_LEVEL.
When both listeners answer, one JSON line {"msg":"listening","port":N,"socket":"PATH"} is written to stdout.
`;

export interface Arguments {
  command: 'serve' | 'check' | 'name' | 'work' | 'files';
  configPath: string;
  stateDir: string;
  socket: string | undefined;
  port: string | undefined;
  graceMs: number;
  waitMs: number;
  /** What `work` needs, where it was given. */
  work: { home: string | undefined; workspace: string | undefined; repository: string | undefined; proxyPort: number };
  home: string | undefined;
  attached: boolean;
  files: string | undefined;
  idleMs: number | undefined;
  version: boolean;
  help: boolean;
}

/** Reads the command line (without executable and script). Throws `invalid_request` on what it doesn't know. */
export function parseArguments(argv: string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        config: { type: 'string', default: DEFAULT_CONFIG_PATH },
        state: { type: 'string', default: DEFAULT_STATE_DIR },
        socket: { type: 'string' },
        port: { type: 'string' },
        grace: { type: 'string', default: String(DEFAULT_GRACE_SECONDS) },
        wait: { type: 'string', default: String(DEFAULT_WAIT_SECONDS) },
        home: { type: 'string' },
        workspace: { type: 'string' },
        repository: { type: 'string' },
        'proxy-port': { type: 'string', default: String(PROXY_PORT) },
        attached: { type: 'boolean', default: false },
        files: { type: 'string' },
        idle: { type: 'string' },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    return {
      command: readCommand(positionals),
      configPath: values.config,
      stateDir: values.state,
      socket: values.socket,
      port: values.port,
      graceMs: readSeconds('--grace', values.grace),
      waitMs: readSeconds('--wait', values.wait),
      work: {
        home: values.home,
        workspace: values.workspace,
        repository: values.repository,
        proxyPort: readPortNumber('--proxy-port', values['proxy-port']),
      },
      home: values.home,
      attached: values.attached,
      files: values.files,
      idleMs: values.idle === undefined ? undefined : readSeconds('--idle', values.idle),
      version: values.version,
      help: values.help,
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SpoqError('invalid_request', {
      detail: 'The arguments are not valid.',
      next: 'See conductor --help.',
      faults: [{ field: 'arguments', message }],
      cause: error,
    });
  }
}

function readCommand(positionals: string[]): Arguments['command'] {
  const [command, ...others] = positionals;
  if (command === undefined) return 'serve';
  const commands = ['check', 'name', 'work', 'files'] as const;
  const found = commands.find((name) => name === command);
  if (found !== undefined && others.length === 0) return found;
  throw new Error(`There is no command '${positionals.join(' ')}'`);
}

/** Milliseconds. An hour at most: more is a slip. */
function readSeconds(flag: string, text: string): number {
  const seconds = Number(text);
  if (/^\d{1,4}$/.test(text) && seconds <= 3600) return seconds * 1000;
  throw new Error(`${flag} must be a number of seconds from 0 to 3600`);
}

/** 0 is any. */
function readPortNumber(flag: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw new Error(`${flag} must be a port from 0 to 65535`);
}
