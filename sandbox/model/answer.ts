import type { ModelInput, SentImage } from './conversation.ts';
import { readPrompt } from './prompt.ts';
import type { SentFile } from './prompt.ts';

const QUOTED_LINES = 6;
const NAMED_FILES = 20;

/** Counts the lines of a text: a last newline ends a line and starts none. */
export function countLines(text: string): number {
  if (text === '') return 0;
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/**
 * The sandbox model's answer, in Markdown. It says what it is, quotes the question and tells what is certainly true of the
 * files: their names, lines and sizes, and how the longest one begins; and of images and tools. The same input gives the
 * same answer.
 */
export function composeAnswer(input: ModelInput, vendor: { name: string; keyVariable: string }): string {
  const asked = input.messages.filter((message) => message.role === 'user').map((message) => readPrompt(message.text));
  const files = [...new Map(asked.flatMap((one) => one.files).map((file) => [file.path, file])).values()];
  const question = asked.findLast((one) => one.question !== '')?.question ?? '';
  return [
    `I am **Spoq's sandbox model**: a small script that stands in for ${vendor.name}, not a real language model. ` +
      'I understand nothing, but I can tell you for certain what reached me.',
    `## What you asked\n\n${quote(question)}`,
    files.length === 0 ? '## What you sent\n\nNo files came with the question.' : describeFiles(files),
    ...describeRest(input),
    `## What to do next\n\nSet \`${vendor.keyVariable}\` and start Spoq again: a box made then asks the real model.`,
  ].join('\n\n');
}

function quote(text: string): string {
  if (text === '') return 'Nothing: the question was empty.';
  const lines = text.split('\n');
  const shown = lines.slice(0, QUOTED_LINES).map((line) => `> ${line}`.trimEnd());
  if (lines.length > QUOTED_LINES) shown.push('> …');
  return shown.join('\n');
}

function describeFiles(files: SentFile[]): string {
  const bytes = files.reduce((sum, file) => sum + Buffer.byteLength(file.content), 0);
  const lines = files.reduce((sum, file) => sum + countLines(file.content), 0);
  const list = files
    .slice(0, NAMED_FILES)
    .map(
      (file) =>
        `- \`${file.path}\`: ${plural(countLines(file.content), 'line')}, ${plural(Buffer.byteLength(file.content), 'byte')}`,
    );
  if (files.length > NAMED_FILES) list.push(`- and ${files.length - NAMED_FILES} more`);
  const total = `${plural(files.length, 'file')}, ${plural(lines, 'line')}, ${plural(bytes, 'byte')} in all:`;
  return `## What you sent\n\n${total}\n\n${list.join('\n')}${beginningOfLongest(files)}`;
}

/** Images, content that can't be read, and tools: a paragraph each, where there are any. */
function describeRest({ messages, tools }: ModelInput): string[] {
  const passedOver = [...new Set(messages.flatMap((message) => message.passed_over))];
  const names = tools.map(({ name }) => `\`${name}\``).join(', ');
  return [
    ...describeImages(messages.flatMap((message) => message.images)),
    ...(passedOver.length === 0 ? [] : [`What I can't read and passed over: ${passedOver.join(', ')}.`]),
    ...(tools.length === 0
      ? []
      : [`${plural(tools.length, 'tool')} offered: ${names}. A script calls them only when it is told to.`]),
  ];
}

/** A paragraph with what is certain of each image; none without images. */
export function describeImages(images: readonly SentImage[]): string[] {
  return images.length === 0 ? [] : [`${plural(images.length, 'image')}:\n\n${images.map(describeImage).join('\n')}`];
}

function describeImage(image: SentImage): string {
  if ('url' in image) return `- at ${image.url}: not fetched by the sandbox`;
  const { media_type, width, height, bytes } = image;
  return `- ${media_type}, ${width} × ${height} pixels, ${plural(bytes, 'byte')}`;
}

function beginningOfLongest(files: SentFile[]): string {
  const longest = files.reduce((best, file) => (file.content.length > best.content.length ? file : best));
  if (longest.content.trim() === '') return '';
  const head = longest.content.split('\n').slice(0, QUOTED_LINES).join('\n');
  // A fence must be longer than any run of backticks inside it (CommonMark 4.5).
  const ticks = Math.max(2, ...[...head.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = '`'.repeat(ticks + 1);
  return `\n\nThe longest, \`${longest.path}\`, begins:\n\n${fence}${languageOf(longest.path)}\n${head}\n${fence}`;
}

function languageOf(path: string): string {
  return /\.([a-z0-9]{1,8})$/i.exec(path)?.[1]?.toLowerCase() ?? '';
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
