import { lockMail, updateMail } from '../db/mails.ts';
import type { Deps } from '../deps.ts';
import { MailRefused, type Mailer } from '../integrations/smtp.ts';

/**
 * Sends one mail. A worker that dies after the server took it and before that is written down sends it again, under the same
 * Message-ID. Its address and words are in no log.
 * @throws whatever may be gone at the next attempt
 */
export async function runMailJob(
  deps: Pick<Deps, 'db' | 'log' | 'now'> & { mailer?: Mailer | undefined },
  mailId: string,
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const mail = await lockMail(tx, mailId);
    if (mail === undefined || mail.sent_at !== null || mail.failure !== null || mail.to_address === null) return;
    const about = { mail_id: mail.id, kind: mail.kind };
    if (deps.mailer === undefined) {
      deps.log.warn(about, 'there is no SMTP_URL, so a mail was only written down');
      return;
    }
    try {
      await deps.mailer.send(mail);
      await updateMail(tx, mail.id, { sent_at: deps.now(), text: '', html: '' });
      deps.log.info(about, 'a mail was sent');
    } catch (error) {
      if (!(error instanceof MailRefused)) throw error;
      deps.log.error({ ...about, reason: error.message }, 'a mail was refused');
      await updateMail(tx, mail.id, { failure: error.message });
    }
  });
}
