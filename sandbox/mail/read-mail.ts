import PostalMime from 'postal-mime';

/** The subject and the readable text of a mail as it came over the wire (RFC 5322, MIME). */
export async function readMail(raw: Buffer): Promise<{ subject: string; text: string }> {
  const { subject = '', text, html } = await PostalMime.parse(raw);
  return { subject, text: text ?? stripTags(html ?? '') };
}

/** A mail that has no text part, as text: enough to read it, not to render it. */
function stripTags(html: string): string {
  return html
    .replace(/<(style|script)\b[\s\S]*?<\/\1>/gi, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
