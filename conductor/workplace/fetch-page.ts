import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { EgressError, resolvePublic } from './egress.ts';
import type { ConnectRule } from './workplace.ts';

const MAX_BYTES = 5 * 1024 * 1024;
const MAX_HOPS = 5;
const FETCH_MS = 30_000;
const IS_TEXT = /^(text\/|application\/([\w.-]+\+)?(json|xml|javascript|yaml|toml)\b|image\/svg\+xml)/i;

export interface FetchPageDeps {
  /** Asked for each hop anew. */
  decide: ConnectRule;
  /** The addresses that may be dialled for a host: resolvePublic when left out. */
  find?: (host: string) => Promise<string[]>;
  /** Trusted besides the system's authorities. */
  ca?: string;
  /** For each hop, from when it is allowed to when its text is here: 30 s when left out. */
  timeoutMs?: number;
}

export interface Page {
  /** Where the last redirect led. */
  url: string;
  status: number;
  content_type: string;
  text: string;
}

/**
 * Fetches a text of the internet for a run: by rule and from public addresses only, at each hop of its redirects. The address that was
 * checked is the one that is dialled. Throws EgressError with what to tell.
 */
export async function fetchPage(deps: FetchPageDeps, address: string, signal: AbortSignal): Promise<Page> {
  let url = readAddress(address);
  for (let hop = 0; hop <= MAX_HOPS; hop += 1) {
    await requireAllowed(deps, url);
    // Whoever is asked may take their time: only what is done here is limited.
    const limit = AbortSignal.any([signal, AbortSignal.timeout(deps.timeoutMs ?? FETCH_MS)]);
    const answer = await send(deps, url, limit);
    const status = answer.statusCode ?? 0;
    const location = answer.headers.location;
    if ([301, 302, 303, 307, 308].includes(status) && location !== undefined) {
      answer.destroy();
      url = readAddress(location, url);
      continue;
    }
    return { url: url.href, status, ...(await readText(answer, url, limit)) };
  }
  throw new EgressError('failed', `${address} leads on more than ${MAX_HOPS} times.`);
}

function readAddress(address: string, base?: URL): URL {
  const url = URL.parse(address, base?.href);
  if (url === null) throw new EgressError('failed', `${address.slice(0, 200)} is no address.`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new EgressError('denied', `Only http and https addresses are fetched, and no ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw new EgressError('denied', 'An address with a name or a password in it is not fetched.');
  url.hash = '';
  return url;
}

function readOrigin(url: URL): { isSecure: boolean; host: string; port: number } {
  const isSecure = url.protocol === 'https:';
  return {
    isSecure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port || (isSecure ? 443 : 80)),
  };
}

async function requireAllowed({ decide }: FetchPageDeps, url: URL): Promise<void> {
  const { host, port } = readOrigin(url);
  if ((await decide(host, port)) !== 'allow')
    throw new EgressError('denied', `The rules of this run do not allow ${host}:${port}.`);
}

async function send(
  { find = resolvePublic, ca }: FetchPageDeps,
  url: URL,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { isSecure, host, port } = readOrigin(url);
  const [address] = await find(host);
  const outgoing = (isSecure ? requestHttps : requestHttp)({
    host: address,
    port,
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      'user-agent': 'spoq',
      accept: 'text/*, application/json, */*;q=0.1',
      'accept-encoding': 'identity',
    },
    agent: false,
    signal,
    // The certificate must be that of the name, though an address is dialled.
    ...(isSecure && isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  outgoing.end();
  try {
    const [answer] = (await once(outgoing, 'response', { signal })) as [IncomingMessage];
    return answer;
  } catch (cause) {
    outgoing.on('error', () => undefined);
    outgoing.destroy();
    throw broken(url, cause);
  }
}

async function readText(
  answer: IncomingMessage,
  url: URL,
  signal: AbortSignal,
): Promise<Pick<Page, 'content_type' | 'text'>> {
  const type = answer.headers['content-type'] ?? 'text/plain';
  try {
    if (!IS_TEXT.test(type)) throw new EgressError('failed', `${url.href} is not a text but ${type.slice(0, 100)}.`);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer) {
      signal.throwIfAborted();
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_BYTES) throw tooLarge(url);
      chunks.push(chunk as Buffer);
    }
    const body = unpack(Buffer.concat(chunks), answer.headers['content-encoding'], url);
    return { content_type: type, text: decode(body, /charset="?([\w-]+)/i.exec(type)?.[1]) };
  } catch (cause) {
    throw cause instanceof EgressError ? cause : broken(url, cause);
  } finally {
    answer.destroy();
  }
}

/** Some send it packed though it wasn't asked for. Never more than a text may have. */
function unpack(body: Buffer, encoding: string | undefined, url: URL): Buffer {
  const unpackers = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync };
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return body;
  if (!(name in unpackers)) throw new EgressError('failed', `${url.href} is packed in a way that is not known.`);
  try {
    return unpackers[name as keyof typeof unpackers](body, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw cause instanceof RangeError ? tooLarge(url) : broken(url, cause);
  }
}

function decode(body: Buffer, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    return body.toString('utf8'); // it names a character set that nobody knows
  }
}

function tooLarge(url: URL): EgressError {
  return new EgressError('failed', `${url.href} has more than ${MAX_BYTES} bytes.`);
}

function broken(url: URL, cause: unknown): EgressError {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
  return new EgressError('failed', `${url.href} could not be fetched${code}.`, { cause });
}
