import { createTransport } from 'nodemailer';
import type { Config } from '../config.ts';
import type { MailRow } from '../db/mails.ts';

/** A mail server that refused a mail for good: trying again would not help. */
export class MailRefused extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'MailRefused';
  }
}

/** The way to the mail server. */
export interface Mailer {
  /** Hands a mail over. @throws MailRefused when the server will never take it; anything else may be tried again. */
  send(mail: Pick<MailRow, 'id' | 'to_address' | 'subject' | 'text' | 'html'>): Promise<void>;
  close(): void;
}

const CONNECT_MS = 10_000;

/** The server of SMTP_URL; undefined when there is none: then mails are only written down. */
export function createMailer(config: Pick<Config, 'SMTP_URL' | 'MAIL_FROM' | 'BASE_URL'>): Mailer | undefined {
  if (config.SMTP_URL === undefined) return undefined;
  const transport = createTransport({
    url: config.SMTP_URL.reveal(),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: 3 * CONNECT_MS,
    // Everything in a mail is ours; nothing is to be read from a file or fetched because a text says so.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const domain = new URL(config.BASE_URL).hostname;
  return {
    async send({ id, to_address, subject, text, html }) {
      try {
        await transport.sendMail({
          from: config.MAIL_FROM,
          to: { name: '', address: to_address ?? '' },
          subject,
          text,
          html,
          // The same on every attempt: a server or a reader that has it already can tell.
          messageId: `<${id}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated' },
        });
      } catch (cause) {
        const { responseCode: code, command } = cause as { responseCode?: unknown; command?: unknown };
        // RFC 5321 §4.2.1: 5yz is for good. What it answers to a login is about us and not about the mail.
        const isFinal = typeof code === 'number' && code >= 500 && !String(command).startsWith('AUTH');
        throw isFinal ? new MailRefused(`the mail server refused it with ${code}`, cause) : cause;
      }
    },
    close: () => transport.close(),
  };
}
