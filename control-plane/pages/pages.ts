import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Eta } from 'eta/core';
import type { BillingNotice } from '../../contract/billing.ts';
import { loadAssets, type Assets } from './assets.ts';

/** What surrounds a view. */
export interface PageFrame {
  /** Comes before "· Spoq" in the browser's title. */
  title: string;
  description?: string;
  /** Shown in the head of the page, with a way to sign out. */
  user?: { username: string } | undefined;
  /** What the reader must know about what they pay; on top of every page. */
  notice?: BillingNotice | undefined;
  /** Said above whatever the page says, with a way to sign in. */
  signedOut?: string | undefined;
  /** Assets of this page alone, say `progress.js`. They run as modules, after the page is there. */
  scripts?: readonly string[];
  /** Without script: load the page again after so many seconds. */
  refreshSeconds?: number | undefined;
  /** Where in the sign-up this page is; shows the line of steps. */
  step?: SetupStep;
}

/** The steps of the sign-up as a person sees them. */
const SETUP_STEPS = {
  pay: 'Pay',
  'sign-in': 'Sign in',
  password: 'Password',
  region: 'Region',
  box: 'Your box',
} as const;
export type SetupStep = keyof typeof SETUP_STEPS;

/** Every page of the site, compiled once. */
export interface Pages {
  assets: Assets;
  /** The whole document: `views/<view>.eta` inside the layout. `data` is `it` in the view; what it shows is escaped. */
  render(view: string, frame: PageFrame, data?: object): string;
}

/** Compiles every file of `pages/views`. A view that can't be compiled fails here and not in front of a person. */
export function createPages(): Pages {
  const folder = join(import.meta.dirname, 'views');
  const eta = new Eta({ autoEscape: true, varName: 'it' });
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.eta')))
    eta.loadTemplate(`@${file.slice(0, -'.eta'.length)}`, readFileSync(join(folder, file), 'utf8'));
  const assets = loadAssets();
  return {
    assets,
    render(view, frame, data = {}) {
      const asset = (name: string) => assets.url(name);
      const body = eta.render(`@${view}`, { ...data, asset });
      return eta.render('@layout', { ...frame, steps: listSteps(frame.step), body, asset });
    },
  };
}

function listSteps(current: SetupStep | undefined): { name: string; state: 'done' | 'current' | 'next' }[] {
  if (current === undefined) return [];
  const names = Object.keys(SETUP_STEPS) as SetupStep[];
  const at = names.indexOf(current);
  return names.map((name, index) => ({
    name: SETUP_STEPS[name],
    state: index < at ? 'done' : index === at ? 'current' : 'next',
  }));
}
