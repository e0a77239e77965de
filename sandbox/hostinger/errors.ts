/** A refusal in Hostinger's shape: `{message, errors?, correlation_id}`. */
export class HostingerError extends Error {
  readonly status: number;
  readonly faults: Record<string, string[]>;

  constructor(status: number, message: string, faults: Record<string, string[]> = {}) {
    super(message);
    this.status = status;
    this.faults = faults;
  }

  toBody(correlationId: string): Record<string, unknown> {
    const errors = this.status === 422 ? { errors: this.faults } : {};
    return { message: this.message, ...errors, correlation_id: correlationId };
  }
}

/** Collects what is wrong with an input, field by field, as Laravel's validator does. */
export class Faults {
  readonly #faults: Record<string, string[]> = {};

  add(field: string, message: string): void {
    this.#faults[field] = [...(this.#faults[field] ?? []), message];
  }

  /** Throws 422 with all of them, if there are any. */
  throwIfAny(): void {
    const messages = Object.values(this.#faults).flat();
    const [first] = messages;
    if (first === undefined) return;
    const more = messages.length - 1;
    const rest = more === 0 ? '' : ` (and ${more} more error${more === 1 ? '' : 's'})`;
    throw new HostingerError(422, first + rest, this.#faults);
  }
}
