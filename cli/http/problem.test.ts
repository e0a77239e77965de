import { expect } from 'chai';
import type { HttpResponse } from './client.ts';
import { readProblem } from './problem.ts';

function answer(status: number, body: string, headers: Record<string, string> = {}): HttpResponse {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(body);
  };
  return { status, header: (name) => headers[name], chunks, text: () => Promise.resolve(body) };
}

describe('readProblem', () => {
  it('keeps code, detail, request id, next step, faults and time to wait', async () => {
    const body = {
      type: '/problems#too_many_requests',
      title: 'T',
      status: 429,
      code: 'too_many_requests',
      detail: 'D',
      instance: 'r9',
      next_step: 'N',
      errors: [{ field: 'f', message: 'm' }],
    };
    const problem = await readProblem(
      answer(429, JSON.stringify(body), { 'retry-after': '7' }),
      'box_unreachable',
      'h',
    );
    expect({ ...problem }).to.deep.include({
      code: 'too_many_requests',
      detail: 'D (request r9)',
      next: 'N',
      retryAfterSeconds: 7,
      faults: body.errors,
    });
  });

  it('understands codes that it does not know by their status', async () => {
    const codes = [403, 404, 429, 500].map(async (status) => {
      const body = { type: 'x', title: 'New', status, code: 'from_the_future', next_step: 'N' };
      const problem = await readProblem(answer(status, JSON.stringify(body)), 'box_unreachable', 'h');
      return [problem.code, problem.detail];
    });
    expect(await Promise.all(codes)).to.deep.equal([
      ['forbidden', 'New'],
      ['invalid_request', 'New'],
      ['too_many_requests', 'New'],
      ['upstream_failed', 'New'],
    ]);
  });

  it('does not believe an answer from something else', async () => {
    const problem = await readProblem(answer(502, '<h1>Bad gateway</h1>'), 'box_unreachable', 'alice.spoq.dev');
    expect(problem).to.include({
      code: 'box_unreachable',
      detail: 'alice.spoq.dev answered 502, and not as Spoq does.',
    });
  });
});
