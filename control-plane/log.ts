import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';

export type { Logger } from 'pino';

/** The id of the request or job that is being worked on; every log line carries it. */
export const requestContext = new AsyncLocalStorage<{ requestId: string }>();

/** JSON lines, on stdout unless another `destination` is given. Fields that could hold a secret are censored whatever calls log them. */
export function createLogger(level: string, name: string, destination?: DestinationStream): Logger {
  const secrets = [
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
      paths: secrets.flatMap((field) => [field, `*.${field}`, `headers.${field}`, `*.headers.${field}`]),
      censor: '[redacted]',
    },
    mixin: () => {
      const context = requestContext.getStore();
      return context === undefined ? {} : { request_id: context.requestId };
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
