import { expect } from 'chai';
import { createTransport } from 'nodemailer';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { createMailVendor } from './vendor.ts';

describe('the mail vendor', () => {
  let running: RunningVendor;
  beforeEach(async () => {
    running = await runVendor('mail', createMailVendor);
  });
  afterEach(() => running.close());

  const send = async (mail: object, login?: { user: string; pass: string }): Promise<string> => {
    const { hostname, port } = new URL(running.url);
    const transport = createTransport({ host: hostname, port: Number(port), auth: login });
    try {
      return (await transport.sendMail({ from: 'Spoq <spoq@example.com>', to: 'ada@example.com', ...mail })).response;
    } finally {
      transport.close();
    }
  };

  it('keeps mails with everybody they went to, newest first, over a restart', async () => {
    const answer = await send({ bcc: 'bob@example.com', subject: 'Dein Kästchen ✓', text: 'Es läuft.' });
    await send({ subject: 'Second', html: '<style>p{}</style><p>Hello <b>you</b></p>' }, { user: 'any', pass: 'any' });
    running = await running.restart();
    const [second, first] = running.vendor.mails?.() ?? [];
    expect(first).to.deep.equal({
      id: /Kept as (\w+)/.exec(answer)?.[1],
      at: first?.at,
      from: 'spoq@example.com',
      to: ['ada@example.com', 'bob@example.com'],
      subject: 'Dein Kästchen ✓',
      text: 'Es läuft.\n',
    });
    expect(Number.isNaN(Date.parse(first?.at ?? ''))).to.equal(false);
    expect(second).to.deep.include({ subject: 'Second', text: 'Hello you' });
    expect(running.vendor.summarize?.()).to.deep.equal({ mails: 2 });
  });

  it('refuses what is too large and keeps nothing of it', async () => {
    const refusal: unknown = await send({ text: 'x'.repeat(26 * 1024 * 1024) }).catch((error: unknown) => error);
    expect(refusal).to.have.property('responseCode', 552);
    expect(running.vendor.mails?.()).to.deep.equal([]);
  });
});
