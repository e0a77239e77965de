/** A refusal in Contabo's shape: `{statusCode, message}`, where faults of an input are an array of sentences. */
export class ContaboError extends Error {
  readonly status: number;
  readonly faults: string | string[];

  constructor(status: number, faults: string | string[]) {
    super(String(faults));
    this.status = status;
    this.faults = faults;
  }

  toBody(): { statusCode: number; message: string | string[] } {
    return { statusCode: this.status, message: this.faults };
  }
}
