import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { BrowserContext } from 'playwright-core';
import { findChromium } from '../../tools/chromium.ts';

/** A browser with a fresh profile. `close` ends it and forgets the profile. */
export interface TestBrowser {
  context: BrowserContext;
  close(): Promise<void>;
}

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Launches Chromium, or answers undefined where there is none: the test then skips and says so. */
export async function launchBrowser(
  options: { viewport?: { width: number; height: number } } = {},
): Promise<TestBrowser | undefined> {
  const executablePath = findChromium(process.env);
  if (executablePath === undefined) return undefined;
  const profile = mkdtempSync(path.join(tmpdir(), 'spoq-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: process.getuid?.() === 0 ? [...FLAGS, '--no-sandbox'] : FLAGS, // Chromium's own sandbox refuses root
    viewport: options.viewport ?? { width: 1280, height: 800 },
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
