import type { Client, ClientChannel } from 'ssh2';

export interface RemoteRun {
  line: string;
  stdin: string;
  environment: Record<string, string>;
  log: (stream: 'stdout' | 'stderr', line: string) => void;
  signal: AbortSignal;
}

/**
 * Runs one command. Rejects unless it ends with 0, with what it said. ssh2 asks for no answer to variables, so a server whose
 * AcceptEnv leaves one out ignores it here, where the official plugin fails. Spoq's stacks set none.
 */
export async function runRemote(client: Client, run: RemoteRun): Promise<{ stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const collected = { stdout: '', stderr: '', both: '' };
  const collect = (name: 'stdout' | 'stderr', stream: NodeJS.ReadableStream): void => {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      collected[name] += text;
      collected.both += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const one of lines) run.log(name, one);
    });
    stream.on('end', () => rest !== '' && run.log(name, rest));
  };
  const cut = (): void => resolve((run.signal.reason as Error).message);
  run.signal.addEventListener('abort', cut, { once: true });
  client.once('close', () => resolve(CUT));
  // Everything is listened to in this very callback: a short command's end arrives together with its beginning.
  client.exec(run.line, { env: run.environment }, (error, channel) => {
    if (error) return reject(error);
    collect('stdout', channel);
    collect('stderr', channel.stderr);
    awaitEnd(channel, resolve);
    channel.end(run.stdin);
  });
  const ended = await promise.finally(() => run.signal.removeEventListener('abort', cut));
  if (ended !== undefined) throw new Error(`${ended}: running ${JSON.stringify(run.line)}:\n${collected.both}`);
  const trim = (text: string): string => text.replace(/\n$/, '');
  return { stdout: trim(collected.stdout), stderr: trim(collected.stderr) };
}

/** In the words of the official plugin's library. */
const CUT = 'wait: remote command exited without exit status or exit signal';

/** Tells how a command ended: undefined for well. */
function awaitEnd(channel: ClientChannel, tell: (ended: string | undefined) => void): void {
  let ended: string | undefined = CUT;
  channel.once('exit', (code: number | null, name?: string) => {
    if (code === 0) ended = undefined;
    else ended = code === null ? `Process exited with signal ${name}` : `Process exited with status ${code}`;
  });
  channel.once('close', () => tell(ended));
}
