import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeServer, listenOnFreePort } from './listen.ts';

/** A load balancer: each request goes to the next replica. */
export interface Front {
  url: string;
  port: number;
  /** Where the replicas are; those that don't answer are passed over. */
  replicas: string[];
  /** How many answers came from each replica, by URL. */
  served: Map<string, number>;
  /** How many requests were cut and sent again to another replica. */
  resent(): number;
  close(): Promise<void>;
}

/** How long a request waits for a replica that answers. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 50;

/**
 * Spreads requests over replicas. One that is cut before its answer has begun is sent again to another replica, writes too, as a person
 * would press the button again: nothing may be done twice by that.
 */
export async function openFront(): Promise<Front> {
  let turn = 0;
  let resent = 0;
  const served = new Map<string, number>();
  const replicas: string[] = [];

  const send = (to: string, from: IncomingMessage, body: Buffer): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { ...from.headers, 'content-length': String(body.length) };
      delete (headers as Record<string, unknown>)['transfer-encoding'];
      const { hostname, port } = new URL(to);
      const sent = request({ hostname, port, path: from.url, method: from.method, headers, agent: false }, resolve);
      sent.once('error', reject);
      sent.end(body);
    });

  const answer = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const body = await buffer(from);
    const deadline = Date.now() + PATIENCE_MS;
    for (let tries = 0; ; tries += 1) {
      turn += 1;
      const replica = replicas[turn % replicas.length] ?? '';
      try {
        const back = await send(replica, from, body);
        served.set(replica, (served.get(replica) ?? 0) + 1);
        to.writeHead(back.statusCode ?? 502, back.headers);
        back.once('error', () => to.destroy()).pipe(to);
        to.once('close', () => back.destroy());
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') resent += 1;
        if (Date.now() > deadline) throw error;
        if (tries > 0) await sleep(PAUSE_MS);
      }
    }
  };
  const server = createServer((from, to) => {
    answer(from, to).catch(() => to.destroy());
  });
  const { url, port } = await listenOnFreePort(server);
  return { url, port, replicas, served, resent: () => resent, close: () => closeServer(server) };
}
