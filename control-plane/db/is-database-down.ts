/** Errors of the socket, and Postgres' classes for lost connections (08), shutdown and start-up (57P0x) and no free slot (53300). */
const CODES = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EPIPE|ETIMEDOUT|08\w{3}|57P0[1-3]|53300)$/;

/** What pg says without a code, of the query that was cut and of the ROLLBACK that follows; knex puts the query before it. */
const LOST =
  /(^| - )(Connection terminated.*|Client (has encountered a connection error|was closed) and is not queryable)$/;

/** Whether `thrown` says that the database can't be reached just now, rather than that a query was wrong. */
export function isDatabaseDown(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const code = (thrown as { code?: unknown }).code;
  return (
    thrown.name === 'KnexTimeoutError' || LOST.test(thrown.message) || (typeof code === 'string' && CODES.test(code))
  );
}
