import { expect } from 'chai';
import { drawMessage } from './message.ts';
import * as messages from './messages.ts';

const at = new Date('2026-12-03T10:00:00Z');
const baseUrl = 'https://spoq.dev';

describe('a mail', () => {
  it('says the same in plain text and in HTML, and lets nothing in that is not text', () => {
    const { text, html, subject } = drawMessage(
      {
        subject: 'Hello\r\nBcc: everybody@example.com \u202e',
        paragraphs: ['A <b>bold</b> & "quoted" paragraph'],
        action: { label: "Open 'it'", url: 'https://spoq.dev/account?a=1&b=2' },
      },
      'You get this because.',
    );
    expect(subject).to.equal('Hello Bcc: everybody@example.com');
    expect(text).to.equal(
      `A <b>bold</b> & "quoted" paragraph\n\nOpen 'it':\nhttps://spoq.dev/account?a=1&b=2\n\n-- \nYou get this because.\n`,
    );
    expect(html).to.include('A &lt;b&gt;bold&lt;/b&gt; &amp; &quot;quoted&quot; paragraph');
    expect(html).to.include('href="https://spoq.dev/account?a=1&amp;b=2"').and.not.include('<b>');
  });

  it('has lines of 76 characters at most, and never breaks a link', () => {
    const url = `https://spoq.dev/claim/${'a'.repeat(80)}`;
    const { text } = drawMessage({ subject: 's', paragraphs: ['word '.repeat(60).trim(), url] }, 'w');
    const long = text.split('\n').filter((line) => line.length > 76);
    expect(long).to.deep.equal([url]);
  });

  it('of each kind names what happened and where to see to it, with the dates in words', () => {
    const grace = { baseUrl, suspendsAt: at, graceEndsAt: new Date('2026-12-07T10:00:00Z') };
    const all = [
      messages.paymentFailed(grace),
      messages.subscriptionEnded(grace),
      messages.paymentDisputed(grace),
      messages.endScheduled({ baseUrl, cancelAt: at }),
      messages.boxStopped({ baseUrl, graceEndsAt: at }),
      messages.deletionAhead({ baseUrl, graceEndsAt: at, days: 1 }),
      messages.claimPayment({ baseUrl, token: 't'.repeat(43), plan: 'basic', returnedOn: at }),
      messages.cardExpires({ baseUrl, last4: '4242', renewsAt: at }),
    ];
    for (const message of all) {
      const { text, subject } = drawMessage(message, 'why');
      expect(text.replaceAll(/\s+/g, ' '), subject).to.match(/\w+day,? \d{1,2} December 2026/);
      expect(message.action?.url).to.match(/^https:\/\/spoq\.dev\//);
    }
  });
});
