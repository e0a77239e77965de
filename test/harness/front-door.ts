import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { TemporaryRun } from '../../tools/temporary-run.ts';

/** Booted boxes as their owners meet them: through the sandbox's front door, by name, over TLS. */
export interface FrontDoor {
  /** Sends a request and answers what comes back as soon as it begins. Rejects when there is no valid certificate. */
  open(hostname: string, path: string, send?: { token?: string; json?: unknown }): Promise<IncomingMessage>;
  /** The version of the conductor that answers, or why none does. */
  version(hostname: string): Promise<string>;
}

export function openFrontDoor(run: Pick<TemporaryRun, 'urls' | 'environment'>): FrontDoor {
  const { port } = new URL(run.urls.edge);
  const roots = run.environment['NODE_EXTRA_CA_CERTS'];
  const ca = roots === undefined ? undefined : readFileSync(roots);
  const door: FrontDoor = {
    async open(hostname, path, { token, json } = {}) {
      const body = json === undefined ? undefined : JSON.stringify(json);
      const headers = {
        host: `${hostname}:${port}`,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      };
      const method = body === undefined ? 'GET' : 'POST';
      const where = { host: '127.0.0.1', port, servername: hostname, path, ca, agent: false };
      const sent = request({ ...where, method, headers });
      sent.end(body);
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      return answer;
    },
    async version(hostname) {
      const answer = await door.open(hostname, '/health').catch((error: Error) => error);
      if (answer instanceof Error) return answer.message;
      const said = await text(answer);
      return answer.statusCode === 200
        ? String((JSON.parse(said) as { version: string }).version)
        : `${answer.statusCode}`;
    },
  };
  return door;
}
