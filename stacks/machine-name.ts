/**
 * The name of one of a box's machines at its vendor, or of the resource that stands for it in the stack. The first one has the name
 * alone; those that moves have made have the number of the move behind it, for two are there at once meanwhile.
 */
export function toMachineName(name: string, machine: number): string {
  return machine === 0 ? name : `${name}-${machine}`;
}

/** Whether a machine at a vendor is one of a stack's. */
export function isMachineOf(stack: string, name: string): boolean {
  return name === stack || (name.startsWith(`${stack}-`) && /^[1-9]\d*$/.test(name.slice(stack.length + 1)));
}
