import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';

export type { Logger } from 'pino';

/** The id of the request or job that is being worked on; every log line carries it. */
export const requestContext = new AsyncLocalStorage<{ requestId: string }>();

const CENSOR = '[redacted]';

/**
 * JSON lines, on stdout unless another `destination` is given. Fields that could hold a secret are censored whatever calls log
 * them, and so are `secrets` wherever they stand: a vendor's error may repeat the key that it refused.
 */
export function createLogger(
  level: string,
  name: string,
  destination: DestinationStream = pino.destination({ fd: 1, sync: true }),
  secrets: readonly string[] = [],
): Logger {
  const fields = [
    'authorization',
    'cookie',
    'password',
    'token',
    'access_token',
    'refresh_token',
    'device_code',
    'secret',
    'jwt_secret',
    'key',
  ];
  const options: LoggerOptions = {
    level,
    name,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: fields.flatMap((field) => [field, `*.${field}`, `headers.${field}`, `*.headers.${field}`]),
      censor: CENSOR,
    },
    mixin: () => {
      const context = requestContext.getStore();
      return context === undefined ? {} : { request_id: context.requestId };
    },
  };
  const censor = createCensor(secrets);
  return pino(options, { write: (line) => destination.write(censor(line)) });
}

/** Takes every secret out of a line of JSON, also where its quotes or line ends are escaped. The longest first: one may hold another. */
function createCensor(secrets: readonly string[]): (line: string) => string {
  const written = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  const sorted = [...new Set(written)].toSorted((a, b) => b.length - a.length);
  return (line) => sorted.reduce((text, secret) => text.replaceAll(secret, CENSOR), line);
}
