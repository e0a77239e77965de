import { EXPORTED_TABLES } from '../db/exported-tables.ts';

export const README_FILE = 'README.txt';
export const INVOICES_FILE = 'invoices.json';

/** What the archive has, file by file. */
export const EXPORTED_FILES: readonly { file: string; about: string }[] = [
  ...EXPORTED_TABLES.map(({ file, about }) => ({ file, about })),
  { file: INVOICES_FILE, about: 'Your invoices, as Stripe has them. Amounts are in cents.' },
];

/** What it hasn't, and where that is. */
export const LEFT_OUT: readonly { what: string; why: string }[] = [
  {
    what: 'Your files and conversations',
    why: 'They are on your box and nowhere else. Copy them with scp or rsync.',
  },
  {
    what: 'Passwords, keys, codes and tokens',
    why: 'Of most we have only hashes. Whoever finds the archive shall get in nowhere, so none of it is in there.',
  },
  { what: 'Your card', why: 'Only Stripe has it.' },
  {
    what: 'The text of mails',
    why: 'We empty it when a mail has been sent; it is in your mailbox.',
  },
  {
    what: 'Work in progress, logs and counts of attempts',
    why: 'They name you by an id, and are forgotten by themselves.',
  },
];

/** `spoq-alice-2026-11-26.zip` */
export function nameArchive(username: string, at: Date): string {
  return `spoq-${username.replaceAll(/[^\w-]/g, '_')}-${at.toISOString().slice(0, 10)}.zip`;
}

/** The page that lies in the archive. `missing`: files that could not be had, each with why. */
export function describeExport(username: string, at: Date, missing: readonly { file: string; why: string }[]): string {
  const isThere = ({ file }: { file: string }): boolean => missing.every((one) => one.file !== file);
  const lines = [
    `All that Spoq knows of ${username}, as of ${at.toISOString()}.`,
    '',
    'What is in here',
    '',
    ...EXPORTED_FILES.filter(isThere).map(({ file, about }) => `  ${file}\n      ${about}`),
    '',
    'A .json file is a list, and opens in any text editor or browser. In a .jsonl file each line stands for itself.',
    'Times are in UTC. A list may be empty: then there is nothing of the kind.',
    '',
    ...(missing.length === 0
      ? []
      : ['What is missing', '', ...missing.map(({ file, why }) => `  ${file}\n      ${why}`), '']),
    'What is not in here',
    '',
    ...LEFT_OUT.map(({ what, why }) => `  ${what}\n      ${why}`),
    '',
  ];
  return lines.join('\n');
}
