import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { renderConverge } from './converge.ts';
import { loadTemplates } from './templates.ts';
import { createSpec } from './testing/specs.ts';

const templates = loadTemplates();
const SCRIPT = fileURLToPath(new URL('../cloud-init/converge.sh', import.meta.url));

/** What the shell that reads the script finds in its settings; the script itself is not run. */
function readSettings(text: string): Record<string, string> {
  const settings = text.slice(0, text.indexOf('#!/bin/bash'));
  const names = ['SPOQ_PASSWORD_CRYPT', 'SPOQ_RELEASE_URL', 'SPOQ_DIGESTS'];
  const print = names.map((name) => `printf '%s\\0' "\${${name}-unset}"\n`).join('');
  const values = execFileSync('bash', ['-s'], { input: `${settings}${print}`, encoding: 'utf8' }).split('\0');
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

describe('renderConverge', () => {
  it('gives the shell every value as it was, and only files that boxes run', () => {
    const crypt = '$6$sa\'lt$`id`"$(id)';
    const sha256 = {
      'spoq-linux-amd64': 'b'.repeat(64),
      'conductor-linux-amd64': 'a'.repeat(64),
      'spoq-darwin-arm64': 'c'.repeat(64),
    };
    const releases = { base_url: "https://spoq.dev/releases/1.0.0?it's", sha256 };
    const text = renderConverge(createSpec({ password_crypt: crypt, releases }), templates);
    expect(readSettings(text)).to.deep.equal({
      SPOQ_PASSWORD_CRYPT: crypt,
      SPOQ_RELEASE_URL: releases.base_url,
      SPOQ_DIGESTS: `${'a'.repeat(64)}  conductor-linux-amd64\n${'b'.repeat(64)}  spoq-linux-amd64`,
    });
    expect(text.endsWith(templates['converge.sh'])).to.equal(true);
  });

  it('says nothing of a release whose digests nobody knows', () => {
    const settings = readSettings(renderConverge(createSpec(), templates));
    expect(settings).to.deep.include({ SPOQ_RELEASE_URL: 'unset', SPOQ_DIGESTS: 'unset' });
  });
});

describe('converge.sh', () => {
  it('is read whole before it begins, so that no command of it can eat the rest', () => {
    execFileSync('bash', ['-n', SCRIPT]);
    expect(templates['converge.sh'].trimEnd().split('\n').slice(-2)).to.deep.equal(['main "$@"', 'exit']);
  });

  it('is clean in the eyes of shellcheck', function () {
    try {
      execFileSync('shellcheck', ['--version'], { stdio: 'ignore' });
    } catch {
      process.stderr.write('No shellcheck on this machine: converge.sh is not checked by it.\n');
      return this.skip();
    }
    execFileSync('shellcheck', [SCRIPT], { stdio: ['ignore', 'inherit', 'inherit'] });
  });
});
