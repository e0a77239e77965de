import { parseArgs } from 'node:util';
import { SpoqError } from '../contract/errors.ts';

const DEFAULT_CONFIG_PATH = '/etc/conductor/config.toml';
const DEFAULT_STATE_DIR = '/var/lib/conductor';

export const HELP = `conductor: answers questions on a Spoq box

  conductor [--config FILE] [--socket PATH] [--port N] [--state DIR]

  --config FILE  configuration (default ${DEFAULT_CONFIG_PATH})
  --socket PATH  Unix socket for remote requests, each with a token; overrides server.socket
  --port N       port on 127.0.0.1 for requests of this machine, 0 for any; overrides server.port
  --state DIR    where public keys are kept across restarts (default ${DEFAULT_STATE_DIR})
  --version      print the version
  --help         print this

Model keys come from ANTHROPIC_API_KEY and OPENAI_API_KEY, the log level from LOG_LEVEL.
When both listeners answer, one JSON line {"msg":"listening","port":N,"socket":"PATH"} is written to stdout.
`;

export interface Arguments {
  configPath: string;
  stateDir: string;
  socket: string | undefined;
  port: string | undefined;
  version: boolean;
  help: boolean;
}

/** Reads the command line (without executable and script). Throws `invalid_request` on what it doesn't know. */
export function parseArguments(argv: string[]): Arguments {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        config: { type: 'string', default: DEFAULT_CONFIG_PATH },
        state: { type: 'string', default: DEFAULT_STATE_DIR },
        socket: { type: 'string' },
        port: { type: 'string' },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    return {
      configPath: values.config,
      stateDir: values.state,
      socket: values.socket,
      port: values.port,
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
