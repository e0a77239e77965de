import type { BoxAccess } from '../box/connection.ts';
import type { Manifest } from '../context/prepare.ts';
import type { Withheld } from '../../sync/rules/secret-text.ts';
import { formatBytes, formatCount } from './format.ts';
import { sanitizeLine } from './sanitize.ts';

/** The one line that says what is sent: "14 files, 61 kB, 2 withheld". */
export function describeManifest(manifest: Manifest): string {
  const parts = [formatCount(manifest.files.length, 'file')];
  if (manifest.images.length > 0) parts.push(formatCount(manifest.images.length, 'image'));
  if (manifest.stdin !== null) parts.push('stdin');
  parts.push(formatBytes(manifest.bytes), `${manifest.withheld} withheld`);
  return parts.join(', ');
}

/**
 * The same with where it goes: "14 files, 61 kB, 2 withheld, to alice's box alice.spoq.dev". Whoever was made to sign in to an
 * account of somebody else (RFC 8628 §5.1) sees it before it is sent. On the box itself nothing goes anywhere.
 */
export function describeSending(manifest: Manifest, box: Pick<BoxAccess, 'url' | 'on_box' | 'username'>): string {
  if (box.on_box) return describeManifest(manifest);
  const owner = box.username === undefined ? '' : `${sanitizeLine(box.username)}'s box `;
  return `${describeManifest(manifest)}, to ${owner}${box.url.hostname}`;
}

/** What a person has to know before it is sent: files they named that stay here, and words taken out of their question. */
export function describeWarnings(manifest: Manifest): string[] {
  const warnings = manifest.question_withheld.map(
    ({ kind }) => `A part of your question looks like ${kind}: it was withheld.`,
  );
  warnings.push(...manifest.not_found.map((path) => `${sanitizeLine(path)} was not sent: there is no such file.`));
  if (manifest.stdin !== null && manifest.stdin.cut_bytes > 0) {
    warnings.push(
      `The first ${formatBytes(manifest.stdin.cut_bytes)} of stdin were left out: over the budget (--budget).`,
    );
  }
  if (isAlone(manifest)) {
    warnings.push('No files go along: this folder is in no git repository. Name files or folders with @path.');
  }
  for (const { path, reason, named, withheld } of manifest.left_out) {
    const hint = withheld ? ' (--allow sends it as it is)' : '';
    if (named) warnings.push(`${sanitizeLine(path)} was not sent: ${reason}.${hint}`);
  }
  return warnings;
}

/** Nothing goes with the question, and it isn't because somebody wanted that. */
function isAlone({ files, images, stdin, left_out, repository }: Manifest): boolean {
  return !repository && files.length + images.length + left_out.length === 0 && stdin === null;
}

/** The answer to `--dry-run`: every file with its size, and the reason for each that stays here. */
export function describeDryRun(manifest: Manifest): string {
  const sent = manifest.files.map((file) => createRow(file.bytes, file.path, describePlaces(file.withheld)));
  for (const { bytes, path, media_type } of manifest.images) sent.unshift(createRow(bytes, path, media_type));
  if (manifest.stdin !== null)
    sent.unshift(createRow(manifest.stdin.bytes, 'stdin', describePlaces(manifest.stdin.withheld)));
  const left = manifest.left_out.map((one) => createRow(one.bytes, one.path, one.reason));
  const width = Math.min(60, Math.max(0, ...[...sent, ...left].map((row) => row.path.length)));
  const print = (row: Row): string => `  ${row.size.padStart(7)}  ${row.path.padEnd(width)}  ${row.note}`.trimEnd();
  return [
    ...(sent.length > 0 ? ['Would be sent:', ...sent.map(print)] : []),
    ...(left.length > 0 ? ['Would stay here:', ...left.map(print)] : []),
    ...manifest.question_withheld.map(({ kind }) => `A part of the question looks like ${kind}: it would be withheld.`),
    ...manifest.not_found.map((path) => `${sanitizeLine(path)} would not be sent: there is no such file.`),
    `${describeManifest(manifest)}; about ${manifest.tokens.toLocaleString('en')} of ${manifest.budget_tokens.toLocaleString('en')} tokens. Nothing was sent.`,
    '',
  ].join('\n');
}

interface Row {
  size: string;
  path: string;
  note: string;
}

function createRow(bytes: number | null, path: string, note: string): Row {
  return { size: bytes === null ? '' : formatBytes(bytes), path: sanitizeLine(path), note };
}

function describePlaces(places: Withheld[]): string {
  return places.map(({ kind, line }) => `line ${line} withheld: looks like ${kind}`).join('; ');
}
