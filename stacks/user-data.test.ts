import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { ConductorConfig } from '../contract/files.ts';
import { parseFirstBoot } from '../sandbox/machines/first-boot.ts';
import { renderUserData } from './render.ts';
import { loadTemplates } from './templates.ts';
import { getCloudInit } from './testing/cloud-init.ts';
import { createSpec, KEYS } from './testing/specs.ts';

const templates = loadTemplates();

describe('values that cloud-init could mistake', () => {
  /** What YAML writers and cloud-init's reader disagree on, and what cloud-init would take for another kind of document. */
  const NASTY = [
    'no',
    'on',
    'Yes',
    '~',
    'null',
    '=',
    '<<',
    '12:30:45',
    '0o17',
    '1_000',
    '1e3',
    '.inf',
    '2026-11-26',
    '0x1f',
    '## template: jinja',
    '{{ ds.meta_data }}',
    '{% include "/etc/shadow" %}',
    '#include http://evil.example',
    'Content-Type: multipart/mixed; boundary="x"',
    '--x',
    '--===============1==',
    '#!/bin/sh',
    '&a *a',
    '!!python/x',
    'a: b # c',
    '"',
    "'",
    '\\n',
    '$(reboot)',
    '`reboot`',
    '%d',
    'emoji 🐎',
    'ſpoq ａlice',
  ];
  for (const value of NASTY)
    it(`${JSON.stringify(value)} arrives as it is, in one document`, () => {
      const spec = createSpec({ ai: { provider: 'anthropic', model: value }, image: value });
      const text = renderUserData(spec, KEYS, templates);
      const files = parseFirstBoot({ kind: 'user-data', text });
      const toml = files.find(({ path }) => path === '/etc/conductor/config.toml')?.content.toString() ?? '';
      expect(ConductorConfig.parse(parseToml(toml)).ai.model).to.equal(value);
      const [first, ...rest] = text.split('\n');
      expect(first).to.equal('#cloud-config');
      expect(rest.filter((line) => /^(#|--|Content-Type)/i.test(line))).to.deep.equal([]);
    });

  it("are read by cloud-init's own reader as they were written", async function () {
    this.timeout(120_000);
    const cloudInit = await getCloudInit(process.env);
    if (cloudInit === undefined) return this.skip();
    const folder = await mkdtemp(join(tmpdir(), 'spoq-read-'));
    const file = join(folder, 'user-data');
    try {
      const text = renderUserData(
        createSpec({ ai: { provider: 'anthropic', model: NASTY.join(' ') } }),
        KEYS,
        templates,
      );
      const written: unknown = JSON.parse(text.slice(text.indexOf('\n')));
      await writeFile(file, text);
      expect(await cloudInit.read(file)).to.deep.equal(written);
      // And each value bare, as the writer of this document would write it.
      await writeFile(file, `#cloud-config\n${JSON.stringify({ values: NASTY })}`);
      expect(await cloudInit.read(file)).to.deep.equal({ values: NASTY });
      await writeFile(file, '#cloud-config\nvalues: [no, 12:30:45]');
      expect(await cloudInit.read(file), 'the reader is the one that mistypes').to.deep.equal({
        values: [false, 45_045],
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
