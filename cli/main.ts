import type { Executable } from './deps.ts';
import { VERSION } from './version.ts';

/** Put in its place when the program is compiled (tools/build-release.ts). */
declare const SPOQ_RELEASE_PUBLIC_KEY: string;

const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type StopSignal = keyof typeof SIGNAL_EXITS;

// The fastest answer loads nothing more: scripts and shell prompts ask for the version. Touching process.stdout, which
// console.log doesn't, makes the compiled program load its streams: 15 ms instead of 7 (bun 1.4.5).
if (process.argv.length === 3 && ['--version', '-V'].includes(process.argv[2] ?? '')) {
  console.log(VERSION);
} else {
  process.exit(await run());
}

async function run(): Promise<number> {
  const [
    { SpoqError },
    { runCli },
    { createHttpClient },
    streams,
    { openBrowser },
    { createKeyboard },
    { askConfirmation },
    { askSecret },
    { askChoice },
    { homedir, hostname },
    { setTimeout: sleep },
    { config },
  ] = await Promise.all([
    import('../contract/errors.ts'),
    import('./program.ts'),
    import('./http/client.ts'),
    import('./terminal/streams.ts'),
    import('./terminal/browser.ts'),
    import('./terminal/keyboard.ts'),
    import('./terminal/confirm.ts'),
    import('./terminal/ask-secret.ts'),
    import('./terminal/choose.ts'),
    import('node:os'),
    import('node:timers/promises'),
    import('zod'),
  ]);
  // A schema is used once or twice in a run: compiling it first takes longer than all of that.
  config({ jitless: true });
  const keyboard = createKeyboard(process.stdin, process.stderr);
  const stopper = new AbortController();
  let stoppedBy: StopSignal | undefined;
  let isReaderGone = false;
  const interruptListeners = new Set<() => void>();
  for (const signal of Object.keys(SIGNAL_EXITS) as StopSignal[]) {
    process.on(signal, () => {
      const listener = [...interruptListeners].at(-1);
      if (signal === 'SIGINT' && listener !== undefined) return listener();
      if (signal === 'SIGINT' && keyboard.interrupt()) return;
      // The second Ctrl-C doesn't wait for what the first one began.
      if (stoppedBy !== undefined) process.exit(SIGNAL_EXITS[signal]);
      stoppedBy = signal;
      stopper.abort(new SpoqError('cancelled'));
    });
  }
  const stdout = streams.createOutput(process.stdout, () => {
    isReaderGone = true;
    stopper.abort(new SpoqError('cancelled'));
  });
  const stderr = streams.createOutput(process.stderr, () => undefined);
  const code = await runCli(
    {
      stdout,
      stderr: {
        isTTY: stderr.isTTY,
        get columns() {
          return stderr.columns;
        },
        write: (text) => (isReaderGone ? Promise.resolve() : stderr.write(text)),
      },
      stdin: streams.createInput(process.stdin),
      env: process.env,
      platform: process.platform,
      arch: process.arch,
      executable: findExecutable(),
      hostname: hostname(),
      cwd: process.cwd(),
      homeFolder: homedir(),
      http: createHttpClient(VERSION),
      openUrl: (url) => openBrowser(process.platform, url),
      choose: (question, choices, signal) =>
        askChoice({ stderr, env: process.env, keyboard, signal }, question, choices),
      writeBytes: (stream, data) => streams.writeBytes(process[stream], data),
      ...(process.stdin.isTTY && process.stdout.isTTY
        ? { terminal: streams.createTerminal(process.stdin, process.stdout) }
        : {}),
      onInterrupt(tell) {
        interruptListeners.add(tell);
        return () => interruptListeners.delete(tell);
      },
      askSecret: (question) => askSecret({ stderr, keyboard, signal: stopper.signal }, question),
      confirm: (question) => askConfirmation({ stderr, env: process.env, keyboard, signal: stopper.signal }, question),
      keyboard,
      now: Date.now,
      sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted()),
      signal: stopper.signal,
    },
    process.argv.slice(2),
  );
  // `spoq ask … | head -1`: the reader has what it wanted.
  if (isReaderGone) return 0;
  return stoppedBy === undefined ? code : SIGNAL_EXITS[stoppedBy];
}

function findExecutable(): Executable | undefined {
  if (typeof SPOQ_RELEASE_PUBLIC_KEY === 'undefined') return undefined;
  return { path: process.execPath, publicKey: SPOQ_RELEASE_PUBLIC_KEY };
}
