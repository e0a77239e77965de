/** A mail before it is drawn: what it says, and the one thing to do about it. Never holds a password, a token or a key. */
export interface Message {
  subject: string;
  /** Paragraphs of plain text. */
  paragraphs: string[];
  action?: { label: string; url: string };
}

/** A mail as it is sent: the same words twice, plain and as HTML. */
export interface DrawnMessage {
  subject: string;
  text: string;
  html: string;
}

const WIDTH = 76;

/** Draws a mail. `why`: why the reader gets it, below a line. */
export function drawMessage({ subject, paragraphs, action }: Message, why: string): DrawnMessage {
  const plain = [...paragraphs, ...(action === undefined ? [] : [`${action.label}:\n${action.url}`]), `-- \n${why}`];
  const html = [
    ...paragraphs.map((paragraph) => `<p style="margin:0 0 1em">${escapeHtml(paragraph)}</p>`),
    ...(action === undefined ? [] : [drawButton(action)]),
    `<p style="margin:2em 0 0;padding-top:1em;border-top:1px solid #ccc;color:#666;font-size:13px">${escapeHtml(why)}</p>`,
  ];
  return {
    subject: oneLine(subject),
    text: `${plain.map(wrap).join('\n\n')}\n`,
    html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(oneLine(subject))}</title></head><body style="margin:0;padding:24px;font:16px/1.5 system-ui,sans-serif;color:#1b1b1b;background:#fff"><div style="max-width:34em;margin:0 auto"><p style="margin:0 0 1.5em;font-weight:700">spoq</p>${html.join('')}</div></body></html>\n`,
  };
}

/** A link is written out besides: not every reader shows where a button leads. */
function drawButton({ label, url }: { label: string; url: string }): string {
  const address = escapeHtml(url);
  return `<p style="margin:1.5em 0"><a href="${address}" style="display:inline-block;padding:.6em 1.2em;border-radius:6px;background:#0b5d51;color:#fff;text-decoration:none">${escapeHtml(label)}</a></p><p style="margin:0 0 1em;font-size:13px;color:#666">${address}</p>`;
}

/** Lines of at most 76 characters; a link is never broken. */
function wrap(paragraph: string): string {
  return paragraph.split('\n').map(wrapLine).join('\n');
}

function wrapLine(line: string): string {
  if (line.length <= WIDTH) return line;
  const lines: string[] = [''];
  for (const word of line.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}

/** Whatever a person has called themselves: a subject is one line (RFC 5322 §2.2). */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}
