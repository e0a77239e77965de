import { expect } from 'chai';
import { ASK_LIMITS } from '../../contract/conductor.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { createRepository, createTemporaryFolder } from '../testing/temporary-folder.ts';
import { prepareQuestion } from './prepare.ts';
import type { Prepared, PrepareOptions } from './prepare.ts';

const DEFAULTS: PrepareOptions = { words: [], budgetTokens: 60_000, allow: [], stdin: true, repository: true };
const key = `sk-ant-${'aB3dE5gH7jK9mN1pQ2rS4t'}`;

function prepare(cwd: string, options: Partial<PrepareOptions>, stdin?: string): Promise<Prepared> {
  return prepareQuestion(createTestDeps({ cwd, stdin }), { ...DEFAULTS, ...options });
}

describe('prepareQuestion', () => {
  it('puts question, stdin and files together, and counts them', async () => {
    await using repository = await createRepository({ 'a.ts': 'const a = 1;\n', '.env': 'X=1' });
    const { request, manifest } = await prepare(repository.path, { words: ['what', 'is', 'a?'] }, 'more');
    expect(request).to.deep.equal({
      question: 'what is a?',
      files: [{ path: 'a.ts', content: 'const a = 1;\n' }],
      stdin: 'more',
    });
    expect(manifest).to.deep.equal({
      question_withheld: [],
      not_found: [],
      stdin: { bytes: 4, cut_bytes: 0, withheld: [] },
      files: [{ path: 'a.ts', bytes: 13, withheld: [] }],
      images: [],
      repository: true,
      left_out: [{ path: '.env', bytes: 3, reason: 'withheld: environment file', named: false, withheld: true }],
      bytes: 17,
      tokens: 5,
      budget_tokens: 60_000,
      withheld: 1,
    });
  });

  it('takes the question from stdin when there is none in the arguments', async () => {
    const { request, manifest } = await prepare('/', {}, ' what is this?\n');
    expect(request).to.deep.equal({ question: 'what is this?', files: [] });
    expect(manifest.stdin).to.equal(null);
  });

  it('withholds secrets in the question and in stdin', async () => {
    const { request, manifest } = await prepare('/', { words: [`is ${key} valid?`] }, `log\n${key}\n`);
    expect(JSON.stringify(request)).to.not.contain(key.slice(7));
    expect(manifest.question_withheld).to.deep.equal([{ kind: 'an Anthropic key', line: 1 }]);
    expect(manifest.stdin?.withheld).to.deep.equal([{ kind: 'an Anthropic key', line: 2 }]);
    expect(manifest.withheld).to.equal(2);
  });

  it('withholds what looks secret in what it says of files that are not there', async () => {
    const { manifest } = await prepare('/', {
      words: ['who is @https://ada:hunter2-Tr0ub4dor@example.com of @gone.ts?'],
    });
    expect(manifest.not_found).to.have.length(2).and.include('gone.ts');
    expect(JSON.stringify(manifest)).to.not.contain('hunter2');
  });

  it('cuts stdin at the front when it exceeds the budget', async () => {
    const { request, manifest } = await prepare(
      '/',
      { words: ['why?'], budgetTokens: 100 },
      `${'a'.repeat(1000)}the end`,
    );
    const sent = request;
    expect(sent.stdin).to.match(/^\[the first 611 bytes were cut by spoq\]\na+the end$/);
    expect(manifest.stdin?.cut_bytes).to.equal(611);
  });

  it('never exceeds what a box takes', async () => {
    // Quotes take two bytes each in JSON: 3 MB of them become 6 MB.
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}.txt`, '"'.repeat(250_000)]));
    await using repository = await createRepository(files);
    const { request, manifest } = await prepare(repository.path, { words: ['?'], budgetTokens: 1_000_000 });
    expect(Buffer.byteLength(JSON.stringify(request))).to.be.below(ASK_LIMITS.body_bytes);
    expect(manifest.files).to.have.lengthOf(8);
    expect(new Set(manifest.left_out.map((one) => one.reason))).to.deep.equal(
      new Set(['over the 4 MiB of one question']),
    );
  });

  it('sends an allowed file as it is, without naming it again', async () => {
    await using folder = await createTemporaryFolder({ '.env': `KEY=${key}` });
    const { request } = await prepare(folder.path, { words: ['why?'], allow: ['.env'] });
    expect(request).to.deep.equal({ question: 'why?', files: [{ path: '.env', content: `KEY=${key}` }] });
  });

  it('leaves the repository out when asked to', async () => {
    await using repository = await createRepository({ 'a.ts': 'a' });
    const { request } = await prepare(repository.path, { words: ['hi'], repository: false });
    expect(request).to.deep.equal({ question: 'hi', files: [] });
  });

  for (const [name, options, expected] of [
    ['no question', {}, 'There is no question.'],
    [
      'a question that is too long',
      { words: ['x'.repeat(100_001)] },
      'The question has 100,001 characters; 100,000 are the limit.',
    ],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const error = await prepare('/', { ...options, words: [...('words' in options ? options.words : [])] }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.include({ code: 'invalid_request', detail: expected });
    });
  }
});
