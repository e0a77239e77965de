import { lookup as systemLookup } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import type { LookupFunction } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BoxHealth } from '../../contract/conductor.ts';
import { isLocalhostName } from '../../contract/loopback.ts';

export interface BoxCheck {
  /** Base URL of the box. */
  url: string;
  /** The machine's address: asking it directly needs no name server that remembers the name's absence. */
  address: string;
  pollMs: number;
  deadlineMs: number;
  say(line: string): void;
}

/** Waits until the box's own conductor answers /health (over https: with a valid certificate). Throws after the deadline. */
export async function checkBox({ url, address, pollMs, deadlineMs, say }: BoxCheck): Promise<void> {
  const until = Date.now() + deadlineMs;
  let told = '';
  for (;;) {
    const reason = await askHealth(new URL('/health', url), address);
    if (reason === undefined) return say('The box answers');
    if (reason !== told) say(`Waiting for the box: ${reason}`);
    told = reason;
    if (Date.now() >= until)
      throw new Error(`The box did not answer within ${Math.round(deadlineMs / 1000)} s: ${reason}.`);
    await sleep(pollMs);
  }
}

/** Undefined when the box is well, otherwise why not. */
async function askHealth(url: URL, address: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const client = url.protocol === 'https:' ? https : http;
  const request = client.get(
    url,
    { lookup: createLookup(url.hostname, address), timeout: 10_000, agent: false },
    (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text.length < 100_000) text += chunk;
      });
      response.on('end', () =>
        resolve(response.statusCode === 200 ? readHealth(text) : `it answers ${response.statusCode}`),
      );
      response.on('error', (error) => resolve(explain(error)));
    },
  );
  request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
  request.on('error', (error) => resolve(explain(error)));
  return promise;
}

function readHealth(text: string): string | undefined {
  try {
    return BoxHealth.safeParse(JSON.parse(text)).success ? undefined : 'something else than a conductor answers';
  } catch {
    return 'something else than a conductor answers';
  }
}

/** RFC 6761 §6.3: names under .localhost are this machine, though not every system's resolver knows. */
function createLookup(hostname: string, address: string): LookupFunction {
  const target = isLocalhostName(hostname) ? '127.0.0.1' : address;
  return (_name, options, callback) => systemLookup(target, options, callback);
}

const SENTENCES: Record<string, string> = {
  ECONNREFUSED: 'nothing listens yet',
  ECONNRESET: 'it closed the connection',
  EHOSTUNREACH: 'there is no way to its address yet',
  ETIMEDOUT: 'there is no way to its address yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'it has no certificate yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it has no certificate yet',
  ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR: 'it has no certificate yet',
};

function explain(error: Error & { code?: string }): string {
  return SENTENCES[error.code ?? ''] ?? error.message;
}
