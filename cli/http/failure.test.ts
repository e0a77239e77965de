import { expect } from 'chai';
import { describeConnectionError, isCut, isRefusal } from './failure.ts';

describe('what a network says', () => {
  const failure = (code: string) => describeConnectionError('alice.spoq.dev', Object.assign(new Error(code), { code }));

  it('is a line that was cut, whoever names it', () => {
    for (const code of [
      'ECONNRESET',
      'ECONNABORTED',
      'EPIPE',
      'ERR_SOCKET_CLOSED',
      'ERR_SOCKET_CLOSED_BEFORE_CONNECTION',
      'ERR_STREAM_PREMATURE_CLOSE',
    ]) {
      expect(isCut(failure(code)), code).to.equal(true);
      expect(failure(code).reason, code).to.equal('closed the connection');
    }
  });

  it('is no such line where nobody listens, the name is not known or the certificate is wrong', () => {
    expect([isRefusal(failure('ECONNREFUSED')), isCut(failure('ECONNREFUSED'))]).to.deep.equal([true, false]);
    expect(failure('ENOTFOUND').reason).to.equal('has no address: the name is not known');
    expect(failure('CERT_HAS_EXPIRED').reason).to.include('a certificate that is not valid (CERT_HAS_EXPIRED)');
    expect(isCut(failure('CERT_HAS_EXPIRED'))).to.equal(false);
    expect(failure('').reason).to.equal('could not be reached (no reason given)');
    expect(isCut(new Error('ECONNRESET'))).to.equal(false);
  });
});
