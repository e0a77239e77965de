import { readFileSync } from 'node:fs';

/** The files of `cloud-init/`, by name, as they are. */
export type Templates = Record<TemplateName, string>;

export const TEMPLATE_NAMES = [
  'Caddyfile',
  'conductor.service',
  'conductor-retry.timer',
  'conductor-watch.service',
  'conductor-watch.timer',
  'conductor-keys.socket',
  'conductor-keys@.service',
  'keep-keys.sh',
  'conductor-work.socket',
  'conductor-work@.service',
  'launch-work.sh',
  'run-confinement.conf',
  'conductor-files.socket',
  'conductor-files.service',
  'caddy-restart.conf',
  'sshd.conf',
  'motd',
  '20spoq-upgrades',
  'setup.sh',
  'quiet.sh',
  'converge.sh',
  'carry.sh',
] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

/** Reads `cloud-init/` of this clone. */
export function loadTemplates(folder = new URL('../cloud-init/', import.meta.url)): Templates {
  const read = (name: TemplateName) => readFileSync(new URL(name, folder), 'utf8');
  return Object.fromEntries(TEMPLATE_NAMES.map((name) => [name, read(name)])) as Templates;
}

/** Fills in `{{name}}`. Throws when a name has no value, or a value has a control character. */
export function fillTemplate(template: string, values: Record<string, string>): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`A template asks for ${name}`);
    if (/[\p{Cc}\u2028\u2029]/u.test(value)) throw new Error(`The value of ${name} has a control character`);
    return value;
  });
}
