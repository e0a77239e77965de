import type { Preview, PreviewStep } from './engine.ts';
import type { StepMetadata } from './events.ts';

const CHECK_TYPE = 'command:local:Command';
const CONVERGE_TYPE = 'command:remote:Command';

/** Resources as people call them. */
const NAMES: Record<string, string> = {
  'spoq:index:SshKey': 'SSH key',
  'spoq:index:Instance': 'machine',
  'cloudflare:index/dnsRecord:DnsRecord': 'DNS record',
  [CHECK_TYPE]: 'check that the box answers',
  [CONVERGE_TYPE]: 'software and password of the box',
};

/** What is lost when one of these goes away. */
const LOSSES: Record<string, (hostname: string) => string> = {
  'spoq:index:SshKey': () => 'the key: known-hosts entries of this box stop matching',
  'spoq:index:Instance': (hostname) => `everything on the disk of ${hostname}`,
  'cloudflare:index/dnsRecord:DnsRecord': (hostname) => `the name ${hostname}, until it is made again`,
};

/** The engine's many operations as the few that a person tells apart. */
function simplify(op: string): PreviewStep['operation'] | undefined {
  if (op === 'same' || op === 'refresh') return 'same';
  if (op === 'create' || op === 'update' || op === 'delete') return op;
  // A replacement is told as three steps: old one gone, new one made, and the replacement itself.
  return op === 'replace' ? 'replace' : undefined;
}

/** What the engine would do, in plain words. `hostname` names the box. */
export function describePreview(stack: string, hostname: string, steps: readonly StepMetadata[]): Preview {
  const replaced = new Set(steps.filter(({ op }) => op === 'replace').map(({ urn }) => urn));
  const told = steps.flatMap((metadata): PreviewStep[] => {
    const act = findAct(metadata);
    const name = findName(metadata);
    const operation = simplify(metadata.op);
    if (name === undefined || operation === undefined || (operation !== 'replace' && replaced.has(metadata.urn)))
      return [];
    const isLost = operation === 'replace' || operation === 'delete' || act === 'install';
    const lost = isLost ? LOSSES[metadata.type]?.(hostname) : undefined;
    const changes = [...new Set(metadata.diffs?.length ? metadata.diffs : (metadata.keys ?? []))].toSorted();
    const resource = metadata.urn.split('::').at(-1) ?? '';
    const described = { resource, type: metadata.type, operation, changes: operation === 'same' ? [] : changes };
    return [{ ...described, sentence: describeStep(name, described, act), ...(lost === undefined ? {} : { lost }) }];
  });
  const changing = told.filter(({ operation }) => operation !== 'same');
  const summary = changing.map(({ sentence, lost }) => (lost === undefined ? sentence : `${sentence} Lost: ${lost}.`));
  if (summary.length === 0) summary.push(`Nothing would change: ${hostname} is as it should be.`);
  return { stack, changed: changing.length > 0, steps: told, summary };
}

function findName({ urn, type }: StepMetadata): string | undefined {
  return urn.endsWith('-carry') ? 'copy of what is on the box' : NAMES[type];
}

/** What an update would do to a machine besides. */
function findAct({ type, op, old, new: wanted }: StepMetadata): 'restart' | 'install' | undefined {
  if (type !== 'spoq:index:Instance' || op !== 'update') return undefined;
  const isWished = (name: string) => {
    const number: unknown = wanted?.inputs[name];
    return number !== undefined && number !== old?.outputs['lastOperation'];
  };
  return isWished('install') ? 'install' : isWished('restart') ? 'restart' : undefined;
}

function describeStep(
  name: string,
  { resource, type, operation, changes }: Pick<PreviewStep, 'resource' | 'type' | 'operation' | 'changes'>,
  act: 'restart' | 'install' | undefined,
): string {
  if (act === 'install') return `The ${name} (${resource}) would be installed anew, with its address kept.`;
  if (act === 'restart') return `The ${name} (${resource}) would be restarted.`;
  // Neither is anything that is kept: both are done, and done again.
  if (operation === 'replace' && (type === CHECK_TYPE || type === CONVERGE_TYPE))
    return `The ${name} (${resource}) would be made again.`;
  const because = changes.length === 0 ? '' : ` (${changes.join(', ')})`;
  switch (operation) {
    case 'same':
      return `The ${name} (${resource}) stays as it is.`;
    case 'create':
      return `The ${name} (${resource}) would be made.`;
    case 'update':
      return `The ${name} (${resource}) would be changed in place${because}.`;
    case 'replace':
      return `The ${name} (${resource}) would be replaced by a new one${because}.`;
    case 'delete':
      return `The ${name} (${resource}) would be removed.`;
  }
}

/** The box's host name as the state knows it. */
export function findHostname(steps: readonly StepMetadata[]): string | undefined {
  const hostname: unknown = steps.find(({ type }) => type === 'pulumi:pulumi:Stack')?.old?.outputs['hostname'];
  return typeof hostname === 'string' ? hostname : undefined;
}
