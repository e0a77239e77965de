import { expect } from 'chai';
import { SMTPServer } from 'smtp-server';
import { createMailVendor } from '../../sandbox/mail/vendor.ts';
import { runVendor, type RunningVendor } from '../../sandbox/run-vendor.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { listenOnFreePort } from '../../test/harness/listen.ts';
import { queueMail } from '../commands/queue-mail.ts';
import { Secret } from '../config.ts';
import { createMailer } from '../integrations/smtp.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { runMailJob } from './mail-job.ts';

describe('sending a mail', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let mail: RunningVendor;
  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
    mail = await runVendor('mail', createMailVendor);
  });
  after(async () => {
    await mail.close();
    await plane.close();
    await github.close();
    await database.close();
  });

  const message = { subject: 'A subject', paragraphs: ['A secret-looking text'] };
  async function queue(key: string, email: string | null = 'ada@example.com'): Promise<string | undefined> {
    await database.db.transaction((tx) => queueMail(plane.deps, tx, { to: { email }, kind: 'test', key, message }));
    const row = await database.db('mails').where('key', key).first();
    return row?.id;
  }
  const read = (id: string | undefined) => database.db('mails').where('id', id).first();
  async function send(id: string | undefined, url: string | undefined): Promise<void> {
    const config = { ...plane.deps.config, SMTP_URL: url === undefined ? undefined : new Secret(url) };
    const mailer = createMailer(config);
    try {
      await runMailJob({ ...plane.deps, mailer }, String(id));
    } finally {
      mailer?.close();
    }
  }

  it('sends what was written down, once, and keeps its words no longer', async () => {
    const id = await queue('once');
    await send(id, mail.url);
    await send(id, mail.url);
    expect(mail.vendor.mails?.().map(({ to, subject }) => [to, subject])).to.deep.equal([
      [['ada@example.com'], 'A subject'],
    ]);
    const row = await read(id);
    expect([row.text, row.html, row.sent_at instanceof Date]).to.deep.equal(['', '', true]);
  });

  it('writes nobody the same thing twice', async () => {
    await queue('twice');
    const [before] = await database.db('mails').count();
    await queue('twice');
    expect(await database.db('mails').count()).to.deep.equal([before]);
  });

  it('keeps one on record for whom no address is known', async () => {
    const id = await queue('nobody', null);
    await send(id, mail.url);
    expect(await read(id)).to.deep.include({ to_address: null, sent_at: null, failure: null });
  });

  it('waits for a mail server that is away', async () => {
    const id = await queue('away');
    const failure: unknown = await send(id, 'smtp://127.0.0.1:9').catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error);
    expect(await read(id)).to.deep.include({ sent_at: null, failure: null });
    await send(id, undefined);
    expect((await read(id)).sent_at).to.equal(null);
    await send(id, mail.url);
    expect((await read(id)).sent_at).to.be.instanceOf(Date);
  });

  it('gives one up that the server refuses for good, and says so without its words', async () => {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onRcptTo: (_address, _session, callback) =>
        callback(Object.assign(new Error('no such mailbox'), { responseCode: 550 })),
    });
    const { port } = await listenOnFreePort(server.server as never);
    try {
      const id = await queue('refused');
      await send(id, `smtp://127.0.0.1:${port}`);
      expect((await read(id)).failure).to.equal('the mail server refused it with 550');
      expect(plane.logs.join(''))
        .to.include('a mail was refused')
        .and.not.include('secret-looking')
        .and.not.include('ada@');
    } finally {
      await new Promise((resolve) => server.close(() => resolve(undefined)));
    }
  });
});
