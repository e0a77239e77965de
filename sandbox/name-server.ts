import { createSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { AUTHORITATIVE_ANSWER, decode, encode, type Packet, streamEncode } from 'dns-packet';
import { serveTcp } from './tcp.ts';

export interface NameServerDeps {
  /** The domains it answers for. */
  zones: readonly string[];
  /** The A records of a name. */
  resolve(name: string): string[];
}

export interface NameServer {
  port: number;
  close(): Promise<void>;
}

/** What has changed is seen at once: records of the sandbox come and go in seconds. */
const TTL_SECONDS = 1;
/** What it is called itself, below each of its zones. */
const OWN_LABEL = 'ns';
const NOT_THERE = 3; // NXDOMAIN (RFC 1035 §4.1.1)
const REFUSED = 5;

/**
 * Answers for domains of the sandbox, on UDP and TCP (RFC 1035). Anything else is refused at once, so that nobody waits for a name
 * of the outside, where no machine of the sandbox can go.
 */
export async function createNameServer(
  deps: NameServerDeps,
  { host, port = 53 }: { host: string; port?: number },
): Promise<NameServer> {
  const own = deps.zones.map((zone) => `${OWN_LABEL}.${zone}`);
  const resolve = (name: string): string[] => (own.includes(name) ? [host] : deps.resolve(name));
  const records: NameServerDeps = { zones: deps.zones, resolve };
  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    const reply = answer(records, bytes);
    if (reply) udp.send(encode(reply), from.port, from.address);
  });
  const tcp = await serveTcp((socket) => answerStream(records, socket), { host, port });
  await new Promise<void>((done, reject) => {
    udp.once('error', reject);
    udp.bind(tcp.port, host, done);
  });
  return {
    port: tcp.port,
    async close() {
      await new Promise<void>((done) => udp.close(() => done()));
      await tcp.close();
    },
  };
}

/** Every message on TCP has its length before it. */
function answerStream(deps: NameServerDeps, socket: Socket): void {
  let seen = Buffer.alloc(0);
  socket.setTimeout(5_000, () => socket.destroy());
  socket.on('data', (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    while (seen.length >= 2 && seen.length >= 2 + seen.readUInt16BE(0)) {
      const end = 2 + seen.readUInt16BE(0);
      const reply = answer(deps, seen.subarray(2, end));
      if (reply) socket.write(streamEncode(reply));
      seen = seen.subarray(end);
    }
  });
}

function answer({ zones, resolve }: NameServerDeps, bytes: Buffer): Packet | undefined {
  let query: Packet;
  try {
    query = decode(bytes);
  } catch {
    return undefined; // not DNS
  }
  const [question] = query.questions ?? [];
  if (query.type !== 'query' || question === undefined) return undefined;
  const reply: Packet = { type: 'response', id: query.id, questions: [question], answers: [] };
  const name = question.name.toLowerCase();
  const zone = zones.find((one) => name === one || name.endsWith(`.${one}`));
  if (zone === undefined) return { ...reply, flags: REFUSED };
  if (question.type === 'NS' && name === zone) {
    const server = { type: 'NS' as const, name: question.name, ttl: TTL_SECONDS, data: `${OWN_LABEL}.${zone}` };
    return { ...reply, flags: AUTHORITATIVE_ANSWER, answers: [server] };
  }
  const addresses = resolve(name);
  if (addresses.length === 0) return { ...reply, flags: AUTHORITATIVE_ANSWER | (name === zone ? 0 : NOT_THERE) };
  const wanted = question.type === 'A' ? addresses : []; // it is there, and has records of this one type
  const answers = wanted.map((data) => ({ type: 'A' as const, name: question.name, ttl: TTL_SECONDS, data }));
  return { ...reply, flags: AUTHORITATIVE_ANSWER, answers };
}
