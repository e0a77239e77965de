import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ConnectConfig, ServerHostKeyAlgorithm, utils } from 'ssh2';
import { z } from 'zod';

/** As the official plugin's `remote.Connection`, without bastions, agents and encrypted keys: Spoq has none. */
export const RemoteConnection = z.looseObject({
  host: z.string().min(1),
  port: z.coerce.number().int().default(22),
  user: z.string().default('root'),
  password: z.string().optional(),
  privateKey: z.string().optional(),
  /** A line as in known_hosts, without the host. Without one any server is taken. */
  hostKey: z.string().optional(),
  /** Seconds; 0: as long as it takes. */
  perDialTimeout: z.coerce.number().default(15),
  /** How many tries may fail and be followed by another; -1: any number. */
  dialErrorLimit: z.coerce.number().int().default(10),
});
export type RemoteConnection = z.output<typeof RemoteConnection>;

/** The pauses of the official plugin's library between tries. */
const FIRST_PAUSE_MS = 100;
const GROWTH = 1.5;
const LONGEST_PAUSE_MS = 5_000;

/** Connects, trying again as often as `dialErrorLimit` says. Rejects with the last reason. */
export async function dialRemote(
  connection: RemoteConnection,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<Client> {
  // Loaded when needed: every operation starts this plugin, few of them dial.
  const { default: ssh2 } = await import('ssh2');
  const config = createConfig(connection, ssh2.utils.parseKey);
  const { dialErrorLimit: limit } = connection;
  for (let failed = 0; ; failed += 1) {
    try {
      return await dial(new ssh2.Client(), config, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      if (limit >= 0 && failed >= limit)
        throw new Error(`after ${failed} failed attempts: ${reason}`, { cause: error });
      tell(`Dial ${failed + 1}/${limit < 0 ? 'inf' : limit} failed: retrying`);
      const pause = Math.min(FIRST_PAUSE_MS * GROWTH ** failed, LONGEST_PAUSE_MS);
      await sleep(pause, undefined, { signal });
    }
  }
}

function createConfig(connection: RemoteConnection, parseKey: ParseKey): ConnectConfig {
  const { host, port, user, password, privateKey, hostKey, perDialTimeout } = connection;
  const expected = hostKey === undefined ? undefined : parseHostKey(hostKey, parseKey);
  return {
    host,
    port,
    username: user,
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(password === undefined ? {} : { password }),
    readyTimeout: perDialTimeout * 1000,
    keepaliveInterval: 15_000,
    ...(expected === undefined
      ? {}
      : { hostVerifier: (key: Buffer) => key.equals(expected.blob), algorithms: { serverHostKey: [expected.type] } }),
  };
}

type ParseKey = typeof utils.parseKey;

function parseHostKey(line: string, parseKey: ParseKey): { type: ServerHostKeyAlgorithm; blob: Buffer } {
  const parsed = parseKey(line);
  if (parsed instanceof Error) throw new Error(`failed to parse host key: ${parsed.message}`);
  return { type: parsed.type as ServerHostKeyAlgorithm, blob: parsed.getPublicSSH() };
}

async function dial(client: Client, config: ConnectConfig, signal: AbortSignal): Promise<Client> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  // Stays: a connection that breaks later tells so here too, and a session notices by itself.
  client.on('error', reject);
  client.once('ready', () => resolve(client));
  client.once('close', () => reject(new Error('the connection was closed')));
  const cut = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', cut, { once: true });
  try {
    client.connect(config);
    return await promise;
  } catch (error) {
    client.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', cut);
  }
}
