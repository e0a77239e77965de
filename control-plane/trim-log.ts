/** As much of a log as a page shows. */
const MAX_LINES = 12;
const MAX_LINE = 200;

// Colours and other sequences of a terminal (ECMA-48), then whatever else can't be seen.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const SEQUENCES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
/** What nobody is to read, whoever wrote it into the log. */
const SECRETS = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\$[1-9a-z]{1,3}\$[./0-9A-Za-z=,$]{10,}/g,
  /\b(?:sk-|spoq_)[A-Za-z0-9_-]{8,}/g,
  /(?<=\bBearer\s+)\S+/gi,
];

/** The last lines of what a machine said, without what is unseen, too long or secret. */
export function trimLog(text: string): string[] {
  const plain = SECRETS.reduce((said, secret) => said.replace(secret, '[secret]'), text.replace(SEQUENCES, ''));
  return plain
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/\t/g, ' ').replace(UNSEEN, '').trimEnd())
    .filter((line) => line !== '')
    .slice(-MAX_LINES)
    .map((line) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line));
}
