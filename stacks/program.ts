import { Box } from './box.ts';
import { toMachineName } from './machine-name.ts';
import type { BoxSpec } from './spec.ts';
import { loadTemplates } from './templates.ts';

export const PROJECT_NAME = 'spoq';

/** The Pulumi program of one user's stack. */
export function createProgram(spec: BoxSpec): () => Promise<Record<string, unknown>> {
  return async () => {
    const { outputs } = new Box('box', { spec, templates: loadTemplates() });
    // The stack's outputs are what the control plane reads; see outputs.ts.
    return { ...outputs };
  };
}

/** Names the machine that a box runs on. */
export function toInstanceUrn({ stack, machine }: Pick<BoxSpec, 'stack' | 'machine'>): string {
  return `urn:pulumi:${stack}::${PROJECT_NAME}::spoq:infra:Box$spoq:index:Instance::${toMachineName('box-instance', machine)}`;
}

/** Names the resource by which a living box is changed: an update can be told to touch it alone. */
export function toConvergeUrn(stack: string): string {
  return `urn:pulumi:${stack}::${PROJECT_NAME}::spoq:infra:Box$command:remote:Command::box-converge`;
}
