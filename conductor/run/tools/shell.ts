import { z } from 'zod';
import { boundText, defineTool, ok } from './tool.ts';
import type { RunTool, ToolOutcome } from './tool.ts';

const DEFAULT_SECONDS = 120;
const MAX_SECONDS = 3600;
/** What is kept of one command's output. It goes on without being kept. */
const MAX_KEPT = 4 * 1024 * 1024;
const LINES = 2000;

const shell = defineTool({
  name: 'shell',
  description:
    'Runs a command with bash in the root of the workspace and answers its output and exit code. Nothing can be typed into it. What it leaves running ends with it.',
  input: z.object({
    command: z.string().min(1).max(100_000),
    timeout_seconds: z.int().min(1).max(MAX_SECONDS).default(DEFAULT_SECONDS),
  }),
  action: ({ command }) => ({ tool: 'shell', command }),
  title: ({ command }) => `$ ${command.replaceAll(/\s*\n\s*/g, ' ⏎ ').slice(0, 200)}`,
  async run({ command, timeout_seconds }, { place, signal, call, tell }) {
    const child = place.exec({ argv: ['bash', '-lc', command], timeout_ms: timeout_seconds * 1000 });
    child.end();
    const stop = (): void => child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let kept = '';
    let dropped = 0;
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const take = async (stream: 'stdout' | 'stderr', text: string): Promise<void> => {
      if (text === '') return;
      const room = text.slice(0, Math.max(0, MAX_KEPT - kept.length));
      dropped += text.length - room.length;
      kept += room;
      if (room !== '') await tell(stream, room);
    };
    try {
      for await (const { stream, data } of child.output)
        await take(stream, decoders[stream].decode(data, { stream: true }));
      for (const stream of ['stdout', 'stderr'] as const) await take(stream, decoders[stream].decode());
      const exit = await child.exit;
      const rest = dropped > 0 ? `\n[${dropped} more characters were not kept.]` : '';
      const how = `read_output with call "${call}" shows them`;
      const output = kept === '' ? '[No output.]' : `${boundText(kept, `The tool ${how}.`)}${rest}`;
      const { end, summary } = describeEnd(exit, timeout_seconds);
      const outcome: ToolOutcome = {
        outcome: exit.code === 0 ? 'ok' : 'failed',
        text: `${output}\n[${end}]`,
        summary,
      };
      return exit.code === null ? outcome : { ...outcome, exit_code: exit.code };
    } finally {
      signal.removeEventListener('abort', stop);
    }
  },
});

function describeEnd(
  exit: { code: number | null; signal: string | null; timed_out: boolean; out_of_memory?: true },
  seconds: number,
): { end: string; summary: string } {
  const memory = exit.out_of_memory === true ? ' The memory of the run was used up.' : '';
  if (exit.timed_out) {
    const end = `It was ended after ${seconds} seconds. What it did until then is done.${memory}`;
    return { end, summary: `ended after ${seconds} s` };
  }
  if (exit.code === null)
    return { end: `It was ended by ${exit.signal}.${memory}`, summary: `ended by ${exit.signal}` };
  return { end: `Exit code ${exit.code}.${memory}`, summary: exit.code === 0 ? 'done' : `exit code ${exit.code}` };
}

const readOutput = defineTool({
  name: 'read_output',
  description: 'Reads lines of what a call of the tool shell wrote before, where its result was too long.',
  input: z.object({
    call: z.string().max(200),
    offset_lines: z.int().min(0).default(0),
    limit_lines: z.int().min(1).max(LINES).default(LINES),
  }),
  action: () => undefined,
  title: ({ offset_lines }) => `Read on in the output, from line ${offset_lines + 1}`,
  run({ call, offset_lines, limit_lines }, { recallOutput }) {
    const output = recallOutput(call);
    if (output === undefined) {
      const text = `There is no output of a call "${call}". Use the name that its result gave.`;
      return Promise.resolve({ outcome: 'failed' as const, text, summary: 'no such output' });
    }
    const all = output.split('\n');
    const lines = all.slice(offset_lines, offset_lines + limit_lines);
    const head = `[Lines ${offset_lines + 1} to ${offset_lines + lines.length} of ${all.length}.]\n`;
    return Promise.resolve(ok(head + boundText(lines.join('\n'), 'Read fewer lines.'), `${lines.length} lines`));
  },
});

/** Commands, and what they wrote. */
export const SHELL_TOOLS: RunTool[] = [shell, readOutput];
