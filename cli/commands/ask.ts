import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { readAnswer } from '../box/answer.ts';
import { callBox, findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { prepareQuestion } from '../context/prepare.ts';
import type { Manifest, Prepared } from '../context/prepare.ts';
import type { CliDeps } from '../deps.ts';
import { describeNotice } from '../terminal/notice.ts';
import { isErrorCode } from '../http/problem.ts';
import { createAnswerPrinter } from '../terminal/answer-printer.ts';
import type { AnswerPrinter } from '../terminal/answer-printer.ts';
import { fitOutput } from '../terminal/fit.ts';
import { describeDryRun, describeSending, describeWarnings } from '../terminal/manifest.ts';
import { startSpinner } from '../terminal/spinner.ts';
import { canStyle, createStyle } from '../terminal/style.ts';

export interface AskOptions {
  json: boolean;
  noColor: boolean;
  dryRun: boolean;
  budget: number;
  allow: string[];
  stdin: boolean;
  repo: boolean;
}

/** `spoq ask`: asks the box, with files from here, and prints the answer while it is being written. */
export async function runAsk(deps: CliDeps, words: string[], options: AskOptions): Promise<void> {
  const prepared = await prepareQuestion(deps, {
    words,
    budgetTokens: options.budget,
    allow: options.allow,
    stdin: options.stdin,
    repository: options.repo,
  });
  if (options.dryRun) {
    const { manifest } = prepared;
    if (options.json) return deps.stdout.write(`${JSON.stringify(manifest)}\n`);
    return fitOutput(deps.stdout).write(describeDryRun(manifest));
  }
  const box = await findBox(deps);
  await announce(deps, box, prepared.manifest, options);
  return streamAnswer(deps, box, prepared, options);
}

/** Says on stderr what leaves this computer, and to whom, before it does. */
async function announce(deps: CliDeps, box: BoxAccess, manifest: Manifest, options: AskOptions): Promise<void> {
  if (options.json) {
    const { bytes, tokens, withheld, left_out, files } = manifest;
    if (box.notice !== undefined) await deps.stderr.write(`${JSON.stringify({ type: 'notice', ...box.notice })}\n`);
    const line = { type: 'context', files: files.length, bytes, tokens, withheld, left_out: left_out.length };
    return deps.stderr.write(`${JSON.stringify(line)}\n`);
  }
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  if (box.notice !== undefined) await deps.stderr.write(`${style.yellow(describeNotice(box.notice))}\n`);
  for (const warning of describeWarnings(manifest)) await deps.stderr.write(`${style.yellow(warning)}\n`);
  return deps.stderr.write(`${style.dim(describeSending(manifest, box))}\n`);
}

async function streamAnswer(deps: CliDeps, box: BoxAccess, prepared: Prepared, options: AskOptions): Promise<void> {
  const host = box.url.hostname;
  const spinner = startSpinner(deps, `Asking ${box.on_box ? 'this box' : host}…`);
  const printer = createAnswerPrinter(deps, options);
  try {
    const request = { method: 'POST', path: '/api/ask', accept: 'text/event-stream', body: prepared.body } as const;
    const response = await callBox(deps, box, request, (message) =>
      options.json ? deps.stderr.write(`${JSON.stringify({ type: 'waiting', message })}\n`) : spinner.say(message),
    );
    for await (const event of readAnswer(response, host)) {
      if (event.type !== 'start') await spinner.stop();
      await printer.print(event);
      await settle(deps, event, printer, options);
    }
  } finally {
    await spinner.stop();
    await printer.end();
  }
}

/** What the end of an answer means for the person and for the exit code. */
async function settle(
  deps: CliDeps,
  event: ConversationEvent,
  printer: AnswerPrinter,
  options: AskOptions,
): Promise<void> {
  if (event.type === 'done' && event.stop_reason === 'length' && !options.json) {
    await printer.end();
    await deps.stderr.write(
      'The answer was cut: it reached the most tokens that one answer may have. Ask for the rest.\n',
    );
  }
  if (event.type !== 'error') return;
  throw new SpoqError(isErrorCode(event.code) ? event.code : 'model_failed', {
    detail: event.detail ?? (isErrorCode(event.code) ? undefined : event.title),
    next: event.next_step,
    ...(event.retry_after_seconds === undefined ? {} : { retryAfterSeconds: event.retry_after_seconds }),
  });
}
