export const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 64 * 1024;

/** Fetches a small text within five seconds. Throws when the answer isn't 2xx or has more than 64 kB. */
export async function fetchText(
  fetchUrl: typeof fetch,
  url: string,
  accept: string,
  stopping: AbortSignal,
): Promise<string> {
  const response = await fetchUrl(url, {
    headers: { accept },
    signal: AbortSignal.any([stopping, AbortSignal.timeout(FETCH_TIMEOUT_MS)]),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`HTTP status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** In words for the log and for `GET /api/status`. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
