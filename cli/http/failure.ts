import { SpoqError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';

/** The service could not be reached, or went away in the middle. `reason` is a clause in words for a person. */
export class ConnectionFailure extends Error {
  readonly host: string;
  readonly reason: string;

  constructor(host: string, reason: string, cause?: unknown) {
    super(`${host} ${reason}`, { cause });
    this.name = 'ConnectionFailure';
    this.host = host;
    this.reason = reason;
  }
}

/** The connection was there and is gone. bun, which the released spoq runs on, has a name of its own for it where TLS is spoken. */
const CUT = ['ECONNRESET', 'EPIPE', 'ERR_SOCKET_CLOSED'];

const REASONS: Record<string, string> = {
  ...Object.fromEntries(CUT.map((code) => [code, 'closed the connection'])),
  ENOTFOUND: 'has no address: the name is not known',
  EAI_AGAIN: 'has no address: the name could not be looked up',
  ECONNREFUSED: 'refused the connection',
  ETIMEDOUT: 'did not answer in time',
  ENETUNREACH: 'cannot be reached from this network',
  EHOSTUNREACH: 'cannot be reached from this network',
};

/** Puts what the network said into words. */
export function describeConnectionError(host: string, error: unknown): ConnectionFailure {
  const code = readErrorCode(error);
  const known = REASONS[code];
  if (known !== undefined) return new ConnectionFailure(host, known, error);
  if (/CERT|TLS|SSL|SIGNED|ISSUER|ALTNAME/.test(code)) {
    return new ConnectionFailure(host, `showed a certificate that is not valid (${code})`, error);
  }
  return new ConnectionFailure(host, `could not be reached (${code || 'no reason given'})`, error);
}

/** The failure as an expected error with this code; anything else stays what it is. */
export function asUnreachable(code: ErrorCode, error: unknown): unknown {
  if (!(error instanceof ConnectionFailure)) return error;
  return new SpoqError(code, { detail: `${error.host} ${error.reason}.`, cause: error });
}

/** Nobody listened: nothing of the request was heard. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ConnectionFailure && readErrorCode(error.cause) === 'ECONNREFUSED';
}

/** The line was cut; whether the request was heard is not known. */
export function isCut(error: unknown): boolean {
  return error instanceof ConnectionFailure && CUT.includes(readErrorCode(error.cause));
}

function readErrorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}
