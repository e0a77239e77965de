import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { InputTaken } from '../../contract/run.ts';
import type { ExecRequest, InputRequest } from '../../contract/run.ts';
import type { BoxAccess } from '../box/connection.ts';
import { fetchJson } from '../box/fetch-json.ts';
import { followTurn } from '../box/turn.ts';
import type { CliDeps } from '../deps.ts';
import { ConnectionFailure } from '../http/failure.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { describeChanges } from '../terminal/turn-printer.ts';
import { createApprover } from './approve.ts';
import { createOnWait, isCancelled, toError } from './show-turn.ts';

export interface ExecOptions {
  json: boolean;
  yes: boolean;
  wait: boolean;
}

/** Ctrl-C goes to the program; twice within this time leaves it at work. */
const TWICE_MS = 2000;
const CTRL_C = 3;
/** What one request carries. */
const MAX_PIECE = 128 * 1024;
const RETRY_MS = 1000;
/** 128 and the number, as shells have it. */
const SIGNALS: Record<string, number> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGQUIT: 131,
  SIGKILL: 137,
  SIGPIPE: 141,
  SIGTERM: 143,
};

/** Runs a program on the box as if it ran here: its outputs apart and byte by byte, its input, its terminal. Returns its exit code. */
export async function execOnBox(
  deps: CliDeps,
  box: BoxAccess,
  request: Omit<ExecRequest, 'tty' | 'stdin'>,
  options: ExecOptions,
): Promise<number> {
  const terminal = options.json ? undefined : deps.terminal;
  const isFed = terminal !== undefined || deps.stdin.piped;
  const body: ExecRequest = { ...request, stdin: isFed, ...(terminal === undefined ? {} : { tty: terminal.size() }) };
  const onWait = createOnWait(deps, options);
  const detached = new AbortController();
  const inner = { ...deps, signal: AbortSignal.any([deps.signal, detached.signal]) };
  let conversation = '';
  let code = 0;
  let lastCtrlC = -Infinity;
  const send = (what: InputRequest): Promise<{ received: number }> => sendInput(inner, box, conversation, what);
  /** True when this was the second one. */
  const pressCtrlC = (): boolean => {
    const isSecond = deps.now() - lastCtrlC < TWICE_MS;
    lastCtrlC = deps.now();
    if (isSecond) detached.abort(new SpoqError('cancelled'));
    return isSecond;
  };
  const ignore = (error: unknown): void => {
    // A program that has ended takes nothing more; that it could not be reached, the events tell.
    if (!(error instanceof SpoqError || error instanceof ConnectionFailure)) throw error;
  };
  const begin = (): void => {
    ends.push(
      deps.onInterrupt(() => {
        if (!pressCtrlC()) void send({ signal: 'SIGINT' }).catch(ignore);
      }),
    );
    if (terminal !== undefined) {
      terminal.setRaw(true);
      ends.push(
        () => terminal.setRaw(false),
        terminal.onResize(() => void send({ resize: terminal.size() }).catch(ignore)),
      );
    }
    if (isFed) void feed(deps, send, terminal === undefined ? undefined : pressCtrlC).catch(ignore);
  };
  const ends: (() => void)[] = [];
  const approver = createApprover(
    // Keys go to the program: what it asks for is answered elsewhere.
    terminal === undefined ? inner : { ...inner, stdin: { ...inner.stdin, isTTY: false } },
    box,
    () => conversation,
    options,
    onWait,
  );
  approver.failed.catch((error: unknown) => detached.abort(error));
  try {
    for await (const event of followTurn(inner, box, { path: '/api/exec', body: JSON.stringify(body) }, onWait)) {
      if (event.type === 'start' && conversation === '') {
        ({ conversation } = event);
        begin();
      }
      if (options.json) await deps.stdout.write(`${JSON.stringify(event)}\n`);
      else await show(deps, event);
      await approver.take(event);
      if (event.type === 'exit') code = event.code ?? SIGNALS[event.signal ?? ''] ?? 1;
      if (event.type === 'error') throw toError(event);
    }
    return code;
  } catch (error) {
    if (!detached.signal.aborted) throw error;
    for (const end of ends.splice(0)) end();
    const detail = `It goes on without you: spoq attach ${conversation.slice(0, 8)}`;
    if (isCancelled(detached.signal.reason)) throw new SpoqError('cancelled', { detail });
    if (!options.json) await deps.stderr.write(`${detail}\n`);
    throw detached.signal.reason;
  } finally {
    approver.end();
    for (const end of ends) end();
    deps.stdin.close();
  }
}

async function show(deps: CliDeps, event: ConversationEvent): Promise<void> {
  if (event.type === 'tool_output') {
    const bytes = event.data === undefined ? Buffer.from(event.text ?? '') : Buffer.from(event.data, 'base64');
    return deps.writeBytes(event.stream, bytes);
  }
  if (event.type === 'notice') return deps.stderr.write(`${sanitizeLine(event.message)}\n`);
  if (event.type === 'changes' && event.files > 0) return deps.stderr.write(`${describeChanges(event)}\n`);
}

async function feed(
  deps: CliDeps,
  send: (what: InputRequest) => Promise<{ received: number }>,
  pressCtrlC: (() => boolean) | undefined,
): Promise<void> {
  let offset = 0;
  for await (const chunk of deps.stdin.chunks()) {
    // Who is quick presses it twice before it is read once.
    if (pressCtrlC !== undefined && chunk.filter((byte) => byte === CTRL_C).some(() => pressCtrlC())) return;
    for (let at = 0; at < chunk.length; at += MAX_PIECE) {
      const data = Buffer.from(chunk.subarray(at, at + MAX_PIECE));
      await send({ offset, data: data.toString('base64') });
      offset += data.length;
    }
  }
  await send({ offset, data: '', end: true });
}

/** The same bytes again are the same bytes: a line that is lost costs nothing but time. */
async function sendInput(
  deps: CliDeps,
  box: BoxAccess,
  conversation: string,
  what: InputRequest,
): Promise<{ received: number }> {
  const body = JSON.stringify(what);
  for (;;) {
    try {
      const path = `/api/conversations/${conversation}/input`;
      return await fetchJson(deps, box, { method: 'POST', path, body }, InputTaken, async () => undefined);
    } catch (error) {
      const isLost =
        error instanceof ConnectionFailure || (error instanceof SpoqError && error.code === 'box_unreachable');
      if (!isLost || deps.signal.aborted) throw error;
      await deps.sleep(RETRY_MS, deps.signal);
    }
  }
}
